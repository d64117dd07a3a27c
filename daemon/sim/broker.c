/* The broker's side of everything: messages, lines to the daemon, what may become of them. Must
 * never forget a message without saying so in it. */
#include "broker.h"

#include "backstep/base/check.h"
#include "backstep/edge/mqtt.h"
#include "client.h"
#include "world.h"

#include <stdlib.h>

static void on_down(struct sim_event *event);
static void on_up(struct sim_event *event);

/* Life ----------------------------------------------------------------------------------------- */

static void free_retained(struct sim_broker *b)
{
    struct sim_retained *r, *next;
    HASH_ITER(hh, b->retained, r, next)
    {
        HASH_DEL(b->retained, r);
        free(r);
    }
}

static struct sim_line empty_line(const struct sim_line *before)
{
    return (struct sim_line){.items = before->items, .room = before->room};
}

void sim_broker_reset(struct sim_broker *b)
{
    free_retained(b);
    sim_arena_reset(&b->arena);
    *b = (struct sim_broker){
        .messages = b->messages,
        .message_room = b->message_room,
        .arena = b->arena,
        .queue = empty_line(&b->queue),
        .visit = empty_line(&b->visit),
        .down_event.fire = on_down,
        .up_event.fire = on_up,
    };
}

void sim_broker_fini(struct sim_broker *b)
{
    free_retained(b);
    sim_arena_fini(&b->arena);
    free(b->messages);
    free(b->queue.items);
    free(b->visit.items);
}

uint32_t sim_broker_add_message(struct sim_broker *b, const struct sim_publication *p)
{
    if (b->message_count == b->message_room) {
        b->message_room = b->message_room ? 2 * b->message_room : 4096;
        b->messages = realloc(b->messages, b->message_room * sizeof *b->messages);
        bs_check(b->messages);
    }
    b->messages[b->message_count] = (struct sim_message){
        .topic = sim_arena_copy(&b->arena, p->topic),
        .payload = sim_arena_copy(&b->arena, p->payload),
        .correlation = sim_arena_copy(&b->arena, p->correlation),
        .steps = p->steps,
        .qos = p->qos,
        .retain = p->retain,
    };
    return b->message_count++;
}

/* Lines ---------------------------------------------------------------------------------------- */

uint64_t sim_network_ns(void)
{
    return sim_between(world->settings.network_least_us, world->settings.network_most_us) * 1000;
}

bool sim_broker_answers(const struct sim_broker *b)
{
    return !b->down && !b->network_cut;
}

/* One link keeps the order. */
static uint64_t later_than(uint64_t *last_ns)
{
    uint64_t at = world->now_ns + sim_network_ns();
    *last_ns = at > *last_ns ? at : *last_ns;
    return *last_ns;
}

static struct sim_line *present_line(struct sim_broker *b)
{
    return b->link == SIM_LINK_CONFIG ? &b->visit : &b->queue;
}

static bool link_works(const struct sim_broker *b)
{
    return b->link != SIM_LINK_NONE && sim_broker_answers(b);
}

static void arm_down(struct sim_broker *b)
{
    const struct sim_line *line = present_line(b);
    if (line->next_hand < line->next_send && !b->in_hand && link_works(b))
        sim_events_set(&world->events, &b->down_event, line->items[line->next_hand].arrives_ns);
}

static void send_more(struct sim_broker *b)
{
    struct sim_line *line = present_line(b);
    if (!link_works(b))
        return;
    while (line->next_send < line->count && line->next_send - line->next_ack < b->window) {
        struct sim_queued *q = &line->items[line->next_send++];
        q->arrives_ns = q->gone ? world->now_ns : later_than(&b->last_down_ns);
    }
    if (!sim_event_waits(&b->down_event))
        arm_down(b);
}

static void enqueue(struct sim_broker *b, struct sim_line *line, struct sim_queued item)
{
    if (line->count == line->room) {
        line->room = line->room ? 2 * line->room : 4096;
        line->items = realloc(line->items, line->room * sizeof *line->items);
        bs_check(line->items);
    }
    line->items[line->count++] = item;
    if (line == present_line(b))
        send_more(b);
}

static void acknowledge(struct sim_broker *b)
{
    struct sim_line *line = present_line(b);
    while (line->next_ack < line->next_hand &&
           line->items[line->next_ack].acknowledged_ns <= world->now_ns)
        line->next_ack++;
    if (line->next_ack < line->next_hand)
        sim_events_set(&world->events, &b->up_event, line->items[line->next_ack].acknowledged_ns);
    send_more(b);
}

static void on_up(struct sim_event *event)
{
    struct sim_broker *b = SIM_OWNER(event, struct sim_broker, up_event);
    if (link_works(b))
        acknowledge(b);
}

static void pass(struct sim_broker *b, uint64_t acknowledged_ns)
{
    struct sim_line *line = present_line(b);
    line->items[line->next_hand++].acknowledged_ns = acknowledged_ns;
    if (!sim_event_waits(&b->up_event))
        sim_events_set(&world->events, &b->up_event, line->items[line->next_ack].acknowledged_ns);
}

static bool is_for(struct bs_slice topic, const char *beginning)
{
    return bs_slice_starts(topic, bs_slice_text(beginning));
}

static void hand(struct sim_broker *b, const struct sim_queued *q)
{
    const struct sim_message *m = &b->messages[q->message];
    b->in_hand = true;
    b->message_in_hand = q->message;
    sim_client_hand(&(struct bs_mqtt_message){
        .topic = m->topic,
        .payload = m->payload,
        .correlation = m->correlation,
        .retained = q->retained || (m->retain && is_for(m->topic, SIM_ROOT "/config/")),
    });
}

static void on_down(struct sim_event *event)
{
    struct sim_broker *b = SIM_OWNER(event, struct sim_broker, down_event);
    struct sim_line *line = present_line(b);
    if (line->next_hand == line->next_send || b->in_hand || !link_works(b))
        return;
    const struct sim_queued *q = &line->items[line->next_hand];
    if (!q->gone && q->message != SIM_MARKER) {
        hand(b, q);
        return;
    }
    bool marker = q->message == SIM_MARKER;
    pass(b, world->now_ns);
    arm_down(b);
    if (marker)
        sim_client_take_marker();
}

void sim_broker_note_handed(struct sim_broker *b)
{
    bs_check(b->in_hand);
    b->in_hand = false;
    b->messages[b->message_in_hand].handed = true;
    if (b->link == SIM_LINK_NONE)
        return; /* it went meanwhile, and the acknowledgement with it */
    const struct sim_line *line = present_line(b);
    pass(b, line->items[line->next_hand].qos > 0 ? later_than(&b->last_up_ns) : world->now_ns);
    arm_down(b);
}

void sim_broker_forget_hand(struct sim_broker *b)
{
    b->in_hand = false;
}

uint32_t sim_broker_message_in_hand(const struct sim_broker *b)
{
    return b->in_hand && world->process.receiver.inside ? b->message_in_hand : SIM_NO_MESSAGE;
}

bool sim_broker_is_empty(const struct sim_broker *b)
{
    return b->queue.next_ack == b->queue.count;
}

/* What is published ---------------------------------------------------------------------------- */

static void retain(struct sim_broker *b, uint32_t message)
{
    struct bs_slice topic = b->messages[message].topic;
    struct sim_retained *r;
    HASH_FIND(hh, b->retained, topic.at, topic.length, r);
    if (!r) {
        r = calloc(1, sizeof *r + topic.length + 1);
        bs_check(r);
        memcpy(r->topic, topic.at, topic.length);
        r->saved = SIM_NO_MESSAGE;
        HASH_ADD_KEYPTR(hh, b->retained, r->topic, topic.length, r);
    }
    r->message = b->messages[message].payload.length > 0 ? message : SIM_NO_MESSAGE;
}

static bool wants(const struct sim_subscriptions *s, struct bs_slice topic)
{
    return (s->documents && is_for(topic, SIM_ROOT "/config/")) ||
           (s->devices && is_for(topic, SIM_ROOT "/device/"));
}

static void queue_for_session(struct sim_broker *b, uint32_t message)
{
    struct sim_message *m = &b->messages[message];
    if (b->queue.count - b->queue.next_ack >= world->settings.queue_max) {
        b->overflowed++;
        m->forgotten = true;
        return;
    }
    m->queued = true;
    enqueue(b, &b->queue, (struct sim_queued){.message = message, .qos = m->qos});
}

bool sim_broker_take(struct sim_broker *b, uint32_t message)
{
    const struct sim_message *m = &b->messages[message];
    if (b->down)
        return false;
    if (m->retain)
        retain(b, message);
    if (b->session && wants(&b->subscribed, m->topic) &&
        (m->qos > 0 || b->link == SIM_LINK_SESSION))
        queue_for_session(b, message);
    if (b->link == SIM_LINK_CONFIG && wants(&b->visiting, m->topic))
        enqueue(b, &b->visit, (struct sim_queued){.message = message});
    return true;
}

/* The client ----------------------------------------------------------------------------------- */

void sim_broker_connect(struct sim_broker *b, enum sim_link_kind kind, uint32_t receive_maximum)
{
    bs_check(b->link == SIM_LINK_NONE && !b->in_hand);
    b->link = kind;
    b->window = receive_maximum;
    b->last_down_ns = b->last_up_ns = 0;
    if (kind == SIM_LINK_CONFIG) {
        b->visit = empty_line(&b->visit);
        b->visiting = (struct sim_subscriptions){0};
        return;
    }
    sim_trace("broker: session %s, %zu messages wait", b->session ? "present" : "begins",
              b->queue.count - b->queue.next_ack);
    b->session = true;
    send_more(b);
}

static void send_retained(struct sim_broker *b, const char *below, int qos)
{
    struct sim_retained *r, *next;
    HASH_ITER(hh, b->retained, r, next)
    {
        if (r->message == SIM_NO_MESSAGE || strncmp(r->topic, below, strlen(below)) != 0)
            continue;
        int least = b->messages[r->message].qos < qos ? b->messages[r->message].qos : qos;
        enqueue(b, present_line(b),
                (struct sim_queued){.message = r->message, .qos = least, .retained = true});
    }
}

void sim_broker_subscribe_documents(struct sim_broker *b, int qos, bool retained)
{
    (b->link == SIM_LINK_CONFIG ? &b->visiting : &b->subscribed)->documents = true;
    sim_trace("broker: subscribed config/# at QoS %d", qos);
    if (retained)
        send_retained(b, SIM_ROOT "/config/", qos);
}

void sim_broker_subscribe_devices(struct sim_broker *b)
{
    b->subscribed.devices = true;
    sim_trace("broker: subscribed device/#");
    send_retained(b, SIM_ROOT "/device/", 1);
}

void sim_broker_take_marker(struct sim_broker *b)
{
    enqueue(b, &b->visit, (struct sim_queued){.message = SIM_MARKER});
}

void sim_broker_drop_link(struct sim_broker *b)
{
    struct sim_line *q = &b->queue;
    sim_events_cancel(&world->events, &b->down_event);
    sim_events_cancel(&world->events, &b->up_event);
    b->link = SIM_LINK_NONE;
    for (size_t i = q->next_ack; i < q->count; i++)
        q->items[i].gone |= q->items[i].qos == 0;
    q->next_hand = q->next_send = q->next_ack;
}

/* What happens to it --------------------------------------------------------------------------- */

void sim_broker_save(struct sim_broker *b)
{
    struct sim_retained *r, *next;
    HASH_ITER(hh, b->retained, r, next)
    r->saved = r->message;
    b->saved_ack = b->queue.next_ack;
    b->saved_count = b->queue.count;
    b->saved_session = b->session;
    b->saved_subscribed = b->subscribed;
}

static void forget_queue(struct sim_broker *b, size_t from)
{
    for (size_t i = from; i < b->queue.count; i++)
        b->messages[b->queue.items[i].message].forgotten = true;
    b->queue.count = from;
}

static void go_down(struct sim_broker *b)
{
    sim_broker_drop_link(b);
    b->down = true;
    sim_client_break("the broker closed the connection");
}

void sim_broker_kill(struct sim_broker *b)
{
    struct sim_retained *r, *next;
    go_down(b);
    forget_queue(b, b->saved_count < b->queue.count ? b->saved_count : b->queue.count);
    b->queue.next_ack = b->queue.next_hand = b->queue.next_send = b->saved_ack;
    HASH_ITER(hh, b->retained, r, next)
    r->message = r->saved;
    b->session = b->saved_session;
    b->subscribed = b->saved_subscribed;
}

void sim_broker_stop(struct sim_broker *b)
{
    go_down(b);
    sim_broker_save(b);
}

void sim_broker_start(struct sim_broker *b)
{
    b->down = false;
}

void sim_broker_lose_session(struct sim_broker *b)
{
    sim_broker_cut_link(b);
    forget_queue(b, b->queue.next_ack);
    b->saved_count = b->saved_ack = b->queue.count;
    b->session = b->saved_session = false;
    b->subscribed = b->saved_subscribed = (struct sim_subscriptions){0};
}

void sim_broker_cut_network(struct sim_broker *b, bool cut)
{
    b->network_cut = cut;
    if (!cut && b->link != SIM_LINK_NONE) {
        acknowledge(b);
        arm_down(b);
    }
    sim_client_note_cut(cut);
}

void sim_broker_cut_link(struct sim_broker *b)
{
    if (b->link == SIM_LINK_NONE)
        return;
    sim_broker_drop_link(b);
    sim_client_break("the connection was lost: reset");
}
