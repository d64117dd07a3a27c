/* Configuration documents on their way: each is published retained and not let go of before the
 * daemon has answered it.
 *
 * With MQTT 5 an answer is known by its correlation data; where there is none (MQTT 3.1.1, here or
 * at the daemon) by the document's SHA-256. What a lost connection leaves without an answer is
 * published again: a document that comes twice changes nothing. */
#ifndef BACKSTEP_CTL_REQUESTS_H
#define BACKSTEP_CTL_REQUESTS_H

#include "answer.h"
#include "broker.h"
#include "connection.h"
#include "document_files.h"

#include <stdbool.h>
#include <stddef.h>

struct bs_requests;
struct bs_request;

/* For `broker`, which must outlive it. */
enum bs_status bs_requests_new(struct bs_requests **ret, const struct bs_broker *broker);
void bs_requests_free(struct bs_requests *r);

/* One document to publish; an empty payload deletes. The payload must outlive the requests. BS_BUSY
 * where there is a request for this place already, BS_NO_MEMORY. Before _connect. */
enum bs_status bs_requests_add(struct bs_requests *r, const struct bs_document_place *place,
                               struct bs_slice payload);

/* Makes the connection, opened in _run. `filters`: below the site, where the answers come from;
 * what lies there already is asked for where `look_before`. As bs_connection_new. */
enum bs_status bs_requests_connect(struct bs_requests *r, struct bs_progress *progress,
                                   const char *const *filters, size_t filter_count,
                                   bool look_before);

/* Publishes what has no answer yet and waits for it; bs_broker_explain knows the statuses. BS_IO:
 * no answer came for the broker's time. */
enum bs_status bs_requests_run(struct bs_requests *r);

/* Forgets the answer: the next _run publishes it again. */
void bs_requests_repeat(struct bs_requests *r, size_t i);

size_t bs_requests_count(const struct bs_requests *r);
size_t bs_requests_answered(struct bs_requests *r);

/* The answer to request number i in the order they were added; NULL: none yet. Of a deletion, which
 * is answered without words, it is `ok`. */
const struct bs_answer *bs_requests_answer(struct bs_requests *r, size_t i);

/* Some document or answer of this place lay at the broker before; with `look_before` only. */
bool bs_requests_was_there(struct bs_requests *r, size_t i);

/* Says on stderr what _run's (or _connect's) status means where it is not BS_OK, and gives the exit
 * status for it. */
int bs_requests_explain(struct bs_requests *r, enum bs_status status);

/* Why it is not connected, or was refused; "" if it is well. */
const char *bs_requests_trouble(struct bs_requests *r);

#endif
