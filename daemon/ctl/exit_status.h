/* What backstepctl exits with, by the names and numbers of sysexits.h; 1 is the answer "no". */
#ifndef BACKSTEP_CTL_EXIT_STATUS_H
#define BACKSTEP_CTL_EXIT_STATUS_H

enum bs_exit_status {
    BS_EXIT_DONE = 0,
    BS_EXIT_NO = 1, /* a document was rejected, is not there; the daemon is not online */
    BS_EXIT_USAGE = 64,
    BS_EXIT_DATA = 65,
    BS_EXIT_NO_INPUT = 66,
    BS_EXIT_MEMORY = 71,
    BS_EXIT_CANNOT_CREATE = 73,
    BS_EXIT_GAVE_UP = 75,
    BS_EXIT_REFUSED = 77,
    BS_EXIT_CONFIG = 78,
    BS_EXIT_INTERRUPTED = 130,
};

#endif
