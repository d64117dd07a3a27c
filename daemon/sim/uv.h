/* As much of libuv as the shell uses, in virtual time: the sources of the shell find this header
 * first. Where they can tell, it does what libuv 1.44 does: timers by due time, then by the order
 * of their start, as often as they are due before anything else; then idle handles; then what other
 * threads sent, one call for all sendings so far; then closings. */
#ifndef BACKSTEP_SIM_UV_H
#define BACKSTEP_SIM_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_timer_s uv_timer_t;
typedef struct uv_async_s uv_async_t;
typedef struct uv_idle_s uv_idle_t;
typedef struct uv_signal_s uv_signal_t;

typedef void (*uv_close_cb)(uv_handle_t *handle);
typedef void (*uv_timer_cb)(uv_timer_t *timer);
typedef void (*uv_async_cb)(uv_async_t *async);
typedef void (*uv_idle_cb)(uv_idle_t *idle);
typedef void (*uv_signal_cb)(uv_signal_t *signal, int number);

typedef enum { UV_RUN_DEFAULT, UV_RUN_ONCE, UV_RUN_NOWAIT } uv_run_mode;

enum sim_handle_type { SIM_HANDLE_TIMER, SIM_HANDLE_ASYNC, SIM_HANDLE_IDLE, SIM_HANDLE_SIGNAL };

#define SIM_HANDLE_FIELDS                                                                          \
    void *data;                                                                                    \
    uv_loop_t *loop;                                                                               \
    enum sim_handle_type type;                                                                     \
    bool active, closing;                                                                          \
    uv_close_cb close_cb;                                                                          \
    uv_handle_t *previous, *next /* of all, or of those that close */

struct uv_handle_s {
    SIM_HANDLE_FIELDS;
};

struct uv_timer_s {
    SIM_HANDLE_FIELDS;
    uv_timer_cb timer_cb;
    uint64_t due_ms, repeat_ms, start_id;
};

struct uv_async_s {
    SIM_HANDLE_FIELDS;
    uv_async_cb async_cb;
    bool pending;
};

struct uv_idle_s {
    SIM_HANDLE_FIELDS;
    uv_idle_cb idle_cb;
};

struct uv_signal_s {
    SIM_HANDLE_FIELDS;
    uv_signal_cb signal_cb;
    int signum;
    bool pending;
};

struct uv_loop_s {
    void *data;
    uint64_t time_ms, start_ids;
    bool stopped;
    uv_handle_t *handles, *closing;
    unsigned handle_count;
};

int uv_loop_init(uv_loop_t *loop);
int uv_loop_close(uv_loop_t *loop);
int uv_run(uv_loop_t *loop, uv_run_mode mode);
void uv_stop(uv_loop_t *loop);
void uv_update_time(uv_loop_t *loop);
uint64_t uv_now(const uv_loop_t *loop);

int uv_is_active(const uv_handle_t *handle);
void uv_close(uv_handle_t *handle, uv_close_cb close_cb);

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer);
int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms);
int uv_timer_stop(uv_timer_t *timer);

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb cb);
int uv_async_send(uv_async_t *async);

int uv_idle_init(uv_loop_t *loop, uv_idle_t *idle);
int uv_idle_start(uv_idle_t *idle, uv_idle_cb cb);
int uv_idle_stop(uv_idle_t *idle);

int uv_signal_init(uv_loop_t *loop, uv_signal_t *signal);
int uv_signal_start(uv_signal_t *signal, uv_signal_cb cb, int number);

#endif
