/* What arrives at a real notification socket, and the watchdog's interval. */
#include "backstep/edge/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket in the abstract name space, as systemd may use, too: nothing to clean up. */
static int set_up(void **state)
{
    static int fd;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    char name[sizeof address.sun_path + 2];
    size_t used = length - offsetof(struct sockaddr_un, sun_path);
    snprintf(name, sizeof name, "@%.*s", (int)used - 1, address.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    *state = &fd;
    return 0;
}

static int tear_down(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    close(*(int *)*state);
    return 0;
}

static void expect(int fd, const char *expected)
{
    char text[1024] = "";
    ssize_t length = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(length >= 0);
    text[length] = 0;
    assert_string_equal(text, expected);
}

static void test_notices(void **state)
{
    int fd = *(int *)*state;
    bs_notify_ready();
    expect(fd, "READY=1");
    bs_notify_stopping();
    expect(fd, "STOPPING=1");
    bs_notify_alive();
    expect(fd, "WATCHDOG=1");
    bs_notify_status("waiting for mqtt://127.0.0.1:1883");
    expect(fd, "STATUS=waiting for mqtt://127.0.0.1:1883");
    bs_notify_status("one line\nREADY=1");
    expect(fd, "STATUS=one line");
    bs_notify_status("a\x1b[2J\x7f\xff");
    expect(fd, "STATUS=a?[2J?");
    char text[128] = "";
    bs_notify_reloading();
    assert_true(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
    long long usec = 0;
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
    assert_true(usec > 0);
}

static void test_without_systemd(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    bs_notify_ready();
    bs_notify_status("nobody reads this");
    bs_notify_alive();
    assert_int_equal(bs_notify_watchdog_ms(), 0);
}

static void test_watchdog(void **state)
{
    (void)state;
    char pid[32];
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(bs_notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "1000", 1);
    assert_int_equal(bs_notify_watchdog_ms(), 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(bs_notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(bs_notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "soon", 1);
    unsetenv("WATCHDOG_PID");
    assert_int_equal(bs_notify_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_notices, set_up, tear_down),
        cmocka_unit_test(test_without_systemd),
        cmocka_unit_test(test_watchdog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
