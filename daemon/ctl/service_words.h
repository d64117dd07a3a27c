/* The document service/{instance} in words. */
#ifndef BACKSTEP_CTL_SERVICE_WORDS_H
#define BACKSTEP_CTL_SERVICE_WORDS_H

#include <stdio.h>

struct cJSON;

/* Some ten lines. What the document lacks (a last will has a state alone) is left out. */
void bs_service_words_write(const struct cJSON *document, const char *instance, const char *site,
                            FILE *to);

#endif
