/* The broker as a sink: messages are published when event time has come to them. */
#ifndef BACKSTEP_CTL_PACED_PUBLISHER_H
#define BACKSTEP_CTL_PACED_PUBLISHER_H

#include "parcel.h"
#include "progress.h"
#include "publisher.h"

struct bs_paced_publisher {
    struct bs_publisher *publisher;
    struct bs_progress *progress; /* asked whether to stop where nothing is waited for */
    double speed;                 /* event time over wall time; 0: as fast as the broker takes it */
    int64_t origin_ms;            /* event time that is due at begun_ns (CLOCK_MONOTONIC) */
    uint64_t begun_ns;
};

struct bs_sink bs_paced_publisher_sink(struct bs_paced_publisher *p);

#endif
