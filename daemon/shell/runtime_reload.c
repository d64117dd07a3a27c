/* Reading the configuration again: what names the log's place or the site needs a restart; the rest
 * is used from now on. Must never leave the daemon without a configuration: a bad file changes
 * nothing. */
#include "runtime.h"
#include "runtime_parts.h"

#include "backstep/edge/notify.h"
#include "report.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool needs_restart(const struct bs_conf *a, const struct bs_conf *b)
{
    return !same_text(a->site.id, b->site.id) || !same_text(a->site.instance, b->site.instance) ||
           !same_text(a->mqtt.topic_root, b->mqtt.topic_root) ||
           !same_text(a->journal.directory, b->journal.directory) ||
           a->journal.segment_mb != b->journal.segment_mb ||
           a->journal.max_mb != b->journal.max_mb || a->journal.sync_ms != b->journal.sync_ms ||
           a->influxdb.outbox_max_mb != b->influxdb.outbox_max_mb;
}

/* The outlet calls this from its own depths: what follows waits for the next turn. */
static void on_reload_closed(void *context)
{
    struct bs_runtime *rt = context;
    rt->reload = BS_RELOAD_READY;
    uv_async_send(&rt->wake);
}

void bs_runtime_begin_reload(struct bs_runtime *rt)
{
    char error[1024];
    if (rt->reload != BS_RELOAD_NONE || atomic_load(&rt->stopping))
        return;
    if (bs_conf_load(&rt->fresh, rt->conf_path, error, sizeof error) != BS_OK) {
        bs_report(BS_LOG_ERROR, "the configuration stays as it was: %s", error);
        return;
    }
    if (needs_restart(rt->conf, &rt->fresh)) {
        bs_report(BS_LOG_ERROR,
                  "the configuration stays as it was: %s changes [site], [journal], topic_root or "
                  "outbox_max_mb, which takes a restart",
                  rt->conf_path);
        bs_conf_fini(&rt->fresh);
        return;
    }
    bs_notify_reloading();
    rt->reload = BS_RELOAD_CLOSING;
    bs_runtime_tell(rt, "offline"); /* a normal leave sends no will */
    bs_runtime_link_leave(rt);
    bs_outlet_finish(rt->outlet, 0, on_reload_closed, rt);
}

/* What cannot be opened by the new configuration goes on by the old one. */
static bool reopen_outlet(struct bs_runtime *rt, struct bs_conf *old)
{
    bs_outlet_free(rt->outlet);
    rt->outlet = NULL;
    *old = *rt->conf;
    *rt->conf = rt->fresh;
    if (bs_runtime_start_outlet(rt) == BS_EXIT_OK)
        return true;
    *rt->conf = *old;
    *old = rt->fresh;
    bs_report(BS_LOG_ERROR, "the configuration stays as it was");
    return bs_runtime_start_outlet(rt) == BS_EXIT_OK;
}

void bs_runtime_finish_reload(struct bs_runtime *rt)
{
    struct bs_conf old;
    bool reopened = reopen_outlet(rt, &old);
    bs_conf_fini(&old);
    rt->reload = BS_RELOAD_NONE;
    if (!reopened || bs_runtime_link_start(rt) != BS_OK)
        rt->exit_status = BS_EXIT_FAILED;
    if (rt->stop_wanted || rt->exit_status != BS_EXIT_OK) {
        bs_runtime_stop(rt);
        return;
    }
    bs_report_set((enum bs_conf_log_level)rt->conf->log.level, rt->conf->log.json);
    bs_runtime_link_connect(rt);
    rt->stalled = false; /* the fresh link knows of no trouble yet */
    bs_runtime_look_around(rt);
    bs_notify_ready();
    bs_report(BS_LOG_INFO, "the configuration was read again");
}
