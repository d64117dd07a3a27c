"""The reference against examples worked out by hand from the published interface.

  test_model.py [NAME]     all, or the one of that name

Must never ask the engine, nor take an expected value from what the reference printed.
"""

import json
import struct
import sys
import zlib
from fractions import Fraction

from reference import Reference
from reference_messages import Boot, Rejected, UpClock, decode

BEGIN = 1_795_716_000_000
SETTINGS = {"bout_min_steps": 2, "carry_over_steps": 10, "window_s": 60, "reorder_ms": 0}


class Class:
    """A script: one member `m` with the devices `belt` (trunk), `left`, `right`, unless it is said
    otherwise. Times are ms since BEGIN."""

    def __init__(self, **settings):
        self.lines, self.seqs, self.time = [], {}, 0
        self.put("settings", "site", {**SETTINGS, **settings})
        self.wear("m", "belt", "left", "right")
        for device, kind in (("belt", "trunk"), ("left", "foot"), ("right", "foot")):
            self.say(0, f"device/{device}/birth", json.dumps({"kind": kind}))

    def say(self, at, topic, payload):
        self.lines.append((BEGIN + at, f"{BEGIN + at}\t{topic}\t{payload}"))

    def put(self, kind, name, body, at=0):
        self.say(at, f"config/{kind}/{name}", json.dumps(body))

    def wear(self, member, *devices, consent="member", groups=(), at=0):
        self.put("member", member, {"consent": consent, "devices": devices,
                                    "groups": list(groups)}, at)

    def event(self, device, time, at=None, **fields):
        """One event; it arrives when it happens, or at that time."""
        self.seqs[device] = self.seqs.get(device, 0) + 1
        event = {"v": 1, "boot": 1, "seq": self.seqs[device], "t": BEGIN + time, **fields}
        self.say(time if at is None else at, f"device/{device}/steps", json.dumps(event))

    def walk(self, directions, device="belt", gap=500, **fields):
        """A step for each letter, each with its own step time."""
        for direction in directions:
            self.time += gap
            self.event(device, self.time, **{"dir": direction, "step_ms": gap, **fields})

    def run(self):
        lines = [line for _at, line in sorted(self.lines, key=lambda each: each[0])]
        return Reference().run([*lines, str(BEGIN + 90_000_000)])

    def rows(self, measurement):
        """Their fields, in order of time."""
        found = [(key, fields) for key, fields in self.run().rows.items() if key[0] == measurement]
        return [fields for _key, fields in sorted(found, key=lambda each: (each[0][2], each[0]))]


def expect(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def expect_fields(found, what, **expected):
    for name, value in expected.items():
        expect(found.get(name), value, f"{name} of {what}")


# --- steps ----------------------------------------------------------------------------------------

def test_a_single_pod_gives_the_right_cadence():
    """One foot each 1000 ms: half of it is the step time, and each step but the first stands for a
    missed one too."""
    found = Class()
    for number in range(4):
        found.event("left", 1000 * (number + 1), foot="L")
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=4, missed=3, duration_s=3 * 2 * 0.5, cadence_spm=120,
                  step_time_sd_ms=None)


def test_step_times_in_their_order():
    """own · one device · half a stride · same foot · across devices"""
    found = Class(fuse_ms=0)
    found.event("belt", 1000)
    found.event("belt", 1400, step_ms=390)  # own: 390, though 400 lie between
    found.event("belt", 1900, stride_ms=960)  # one device: 500
    found.event("left", 2300, stride_ms=860, foot="L")  # no device saw both: 430
    found.event("right", 2800, foot="R")  # across devices: 500
    found.event("left", 3100, foot="L")  # half of 800 ms since that foot: 400, not 300 across
    row, = found.rows("gait_window")
    times = [390, 500, 430, 500, 400]
    expect_fields(row, "the window", steps=6, step_time_ms=sum(times) / 5,
                  duration_s=sum(times) / 1000)
    expect(round(row["step_time_sd_ms"], 6), round(abs(390 - 500) / 2 ** 0.5, 6),
           "deviation of the first two rules' times")


def test_no_time_between_steps_of_one_foot():
    found = Class()
    found.event("belt", 1000, foot="L")
    found.event("belt", 1500, foot="L")  # same foot, 500 ms: half a stride of 500
    found.event("belt", 3800, foot="R")  # 2300 ms are no step time
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=3, missed=1, duration_s=0.5, step_time_ms=250)


def test_fusing_takes_the_nearest():
    """Steps at 1000 (belt) and 1150 (right): the left pod's event at 1090 joins the second, and so
    does not what the first has."""
    found = Class(fuse_ms=120, reorder_ms=2000)
    found.event("belt", 1000, dir="F")
    found.event("belt", 1150, dir="B")
    found.event("left", 1090, at=1200, step_mm=500)
    forward, backward = sorted(found.rows("gait_window"), key=len)
    expect_fields(forward, "the farther step", steps=1, distance_m=None)
    expect_fields(backward, "the nearer step", steps=1, distance_m=0.5)
    result = found.run()
    expect((result.books["steps_counted"], result.books["steps_fused"]), (2, 1), "the books")


def test_fusing_takes_the_earlier_of_two_as_near():
    found = Class(fuse_ms=120, reorder_ms=2000)
    found.event("belt", 1000, dir="F")
    found.event("belt", 1160, dir="B")
    found.event("left", 1080, at=1200, step_mm=500)
    rows = {fields.get("distance_m"): key[1] for key, fields in found.run().rows.items()}
    expect(dict(rows[0.5])["direction"], "F", "the step that was joined")


def test_fusing_never_joins_the_other_foot_or_the_own_device():
    found = Class(fuse_ms=120, reorder_ms=2000)
    found.event("left", 1000, foot="L")
    found.event("right", 1050, foot="R")
    found.event("left", 1100, foot="L")
    expect(found.run().books["steps_counted"], 3, "steps")


def test_fields_come_from_the_sensor_that_knows():
    """The belt comes first and has all; length and contact are the pod's, trunk pitch the belt's,
    step time the first one's."""
    found = Class(fuse_ms=120, reorder_ms=2000)
    found.event("belt", 1000, step_ms=500, step_mm=600, trunk_cdeg=300, contact_ms=700)
    found.event("left", 1010, step_ms=510, step_mm=640, trunk_cdeg=900, contact_ms=640)
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=1, step_time_ms=500, step_length_mm=640, contact_ms=640,
                  trunk_pitch_deg=3)


def test_a_step_that_comes_after_its_place():
    """It is added by itself: no time from its neighbours, no missed one."""
    found = Class(reorder_ms=1000)
    found.event("left", 1000, foot="L")
    found.event("left", 2000, foot="L")
    found.event("left", 4000, foot="L")
    found.event("left", 1500, at=4100, foot="L")
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=4, missed=2, step_time_ms=(500 + 1000) / 2,
                  duration_s=3.0)


def test_a_step_within_reorder_ms_finds_its_place():
    found = Class(reorder_ms=1000)
    found.event("belt", 1000)
    found.event("belt", 2000, at=2000)
    found.event("belt", 1500, at=2400)
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=3, step_time_ms=500, duration_s=1.0)


def test_lost_and_late():
    found = Class(window_s=10)
    found.event("belt", 1000)
    found.seqs["belt"] = 4
    found.event("belt", 9000, at=10_000)
    row, = found.rows("gait_window")
    expect_fields(row, "the window", steps=2, lost=3, late=1, final=True)


# --- bouts ----------------------------------------------------------------------------------------

def test_strays():
    """9 forward steps each 500 ms, the 5th of them backwards."""
    found = Class()
    found.walk("FFFFBFFFF")
    row, = found.rows("gait_bout")
    expect_fields(row, "the bout", steps=8, strays=1, duration_s=8 * 0.5 + 0.5, step_time_ms=500,
                  cadence_spm=120, open=False)


def test_step_times_after_strays_do_not_count():
    """500 ms each, but 300 ms where the step before is none of the bout."""
    found = Class()
    found.walk("FFF")
    found.walk("B", gap=700)
    found.walk("F", gap=300)
    found.walk("FF")
    row, = found.rows("gait_bout")
    expect_fields(row, "the bout", steps=6, strays=1, step_time_ms=500)


def test_a_direction_is_confirmed_through_others():
    found = Class()
    found.walk("FFFFBTBXBB")
    forward, backward = found.rows("gait_bout")
    expect_fields(forward, "the first bout", steps=4, strays=0)
    expect_fields(backward, "the second bout", steps=4, duration_s=5 * 0.5 + 0.5)


def test_two_steps_do_not_confirm():
    found = Class()
    found.walk("FFFBBLLBB")
    row, = found.rows("gait_bout")
    expect_fields(row, "the bout", steps=3, strays=0)


def test_eight_foreign_steps_end_a_bout():
    seven, eight = Class(), Class()
    seven.walk("FFFFF" + 7 * "X" + "FFFFF")
    eight.walk("FFFFF" + 8 * "X" + "FFFFF")
    expect([row["steps"] for row in seven.rows("gait_bout")], [10], "bouts around 7")
    expect([row["steps"] for row in eight.rows("gait_bout")], [5, 5], "bouts around 8")


def test_a_pause_ends_a_bout():
    for gap, expected in ((3000, [10]), (3001, [5, 5])):
        found = Class(bout_gap_ms=3000)
        found.walk("FFFFF")
        found.time += gap - 500
        found.walk("FFFFF")
        expect([row["steps"] for row in found.rows("gait_bout")], expected, f"around {gap} ms")


def test_quantiles_are_lower_ones():
    """Of 4 values the 50th percentile is the second, the 95th the third."""
    found = Class()
    for contact in (400, 100, 200, 300):
        found.walk("F", contact_ms=contact)
    row, = found.rows("gait_bout")
    expect_fields(row, "the bout", contact_p05_ms=100, contact_p50_ms=200, contact_p95_ms=300)


# --- carry-over -----------------------------------------------------------------------------------

def block(found, habit_steps=16, back_mm=450, block_mm=480, after=()):
    """Forward at 600 mm, backward, forward again; then steps of those lengths."""
    found.walk("F" * habit_steps, step_mm=600)
    found.walk("B" * 8, step_mm=back_mm, trunk_cdeg=500)
    found.walk("F" * 10, step_mm=block_mm, trunk_cdeg=750)
    for length in after:
        found.walk("F", step_mm=length)
    return found


def test_retention():
    """100·(600 − 480)/(600 − 450) = 80, walk ratio alike, for all step times are the same."""
    row, = block(Class()).rows("carry_over")
    expect_fields(row, "the carry-over", back_steps=8, block_steps=10, slips=0,
                  step_length_retention_pct=80, walk_ratio_retention_pct=80, retention_pct=80,
                  trunk_pitch_delta_deg=Fraction(5, 2), steps_to_first_slip=None)


def test_a_habit_has_15_steps():
    """Of 15 steps the first has no step time in its bout."""
    row, = block(Class(), habit_steps=15).rows("carry_over")
    expect_fields(row, "that of 15", step_length_retention_pct=80, walk_ratio_retention_pct=None,
                  retention_pct=80)
    row, = block(Class(), habit_steps=14).rows("carry_over")
    expect_fields(row, "that of 14", retention_pct=None, trunk_pitch_delta_deg=Fraction(5, 2))


def test_retention_needs_a_difference():
    """5 % of 600 mm are 30."""
    row, = block(Class(), back_mm=570, block_mm=585).rows("carry_over")
    expect_fields(row, "at 30 mm", step_length_retention_pct=50)
    row, = block(Class(), back_mm=571, block_mm=585).rows("carry_over")
    expect_fields(row, "at 29 mm", step_length_retention_pct=None)
    row, = block(Class(), back_mm=450, block_mm=640).rows("carry_over")
    expect_fields(row, "beyond the habit", step_length_retention_pct=0)


def test_the_habit_of_an_earlier_visit():
    found = Class()
    found.walk("F" * 16, step_mm=600)
    found.time += 600_000
    found.walk("B" * 8, step_mm=450)
    found.walk("F" * 10, step_mm=540)
    row, = found.rows("carry_over")
    expect_fields(row, "the carry-over", step_length_retention_pct=40)


def test_a_backward_bout_has_one_partner():
    """The second forward bout would begin 6 s after it, within the gap."""
    found = Class(carry_over_gap_s=60)
    found.walk("BBB" + "FFF" + "LLL" + "FFF")
    row, = found.rows("carry_over")
    expect_fields(row, "the carry-over", back_steps=3, block_steps=3)


def test_a_partner_begins_within_the_gap():
    for gap, expected in ((1000, 1), (1001, 0)):
        found = Class(carry_over_gap_s=1)
        found.walk("BBB")
        found.time += gap - 500
        found.walk("FFF")
        expect(len(found.rows("carry_over")), expected, f"rows where {gap} ms lie between")


# --- slips ----------------------------------------------------------------------------------------

def test_onset():
    """600 against 480 mm is 25 %, limited to 20; 12, 24, 36 > 30: the third one after the block."""
    found = block(Class(), after=[600, 600, 600, 600])
    slip, = found.rows("slip")
    expect_fields(slip, "the slip", step=13, deviation=20)
    row, = found.rows("carry_over")
    expect_fields(row, "the carry-over", slips=1, steps_to_first_slip=3)


def test_one_step_alone_is_no_slip():
    expect(block(Class(), after=[480, 2000, 480, 480]).rows("slip"), [], "slips")


def test_downwards():
    """336 against 480 mm is −30 %, limited to −20."""
    found = block(Class(), after=[336, 336, 336])
    (key, slip), = [each for each in found.run().rows.items() if each[0][0] == "slip"]
    expect_fields(slip, "the slip", step=13, deviation=-20)
    expect((dict(key[1])["sign"], dict(key[1])["metric"]), ("down", "step_length"), "its tags")


def test_the_mean_is_over_the_run_alone():
    """10 % of 480 are 48: 2, then −8 (back to 0), then 12, 24, 36."""
    found = block(Class(), after=[528, 480, 600, 600, 600])
    slip, = found.rows("slip")
    expect_fields(slip, "the slip", step=15, deviation=20)
    found = block(Class(), after=[528, 600, 600, 600])  # 2, 14, 26, 38
    slip, = found.rows("slip")
    expect_fields(slip, "the slip", step=14, deviation=Fraction(10 + 3 * 20, 4))


def test_a_metric_rests():
    """Of 3 values: (600, 600, 480) is not back, (600, 480, 480) is; the next one is added again."""
    found = block(Class(slip={"hold_off_steps": 3}),
                  after=[600, 600, 600] + [600, 600, 480, 480] + [600, 600, 600])
    expect([slip["step"] for slip in found.rows("slip")], [13, 20], "slips")


def test_what_the_block_does_not_know_is_not_judged():
    """5 of 10 steps have a length, or 4."""
    for knowing, expected in ((5, 1), (4, 0)):
        found = Class()
        found.walk("BBB")
        found.walk("F" * knowing, step_mm=480)
        found.walk("F" * (10 - knowing))
        found.walk("FFF", step_mm=600)
        expect(len(found.rows("slip")), expected, f"slips where {knowing} steps have it")


def test_feedback():
    for reorder_ms, expected in ((0, 3), (5001, 0)):
        found = block(Class(reorder_ms=reorder_ms), after=[600, 600, 600])
        notices = found.run().notices
        expect(len(notices), expected, f"notices after {reorder_ms} ms")
    expect({notice.topic for notice in block(Class(), after=[600] * 3).run().notices},
           {"feedback/belt", "feedback/left", "feedback/right"}, "devices")


# --- groups and sessions --------------------------------------------------------------------------

def group_of(*consents, **settings):
    found = Class(**{"min_group_size": 3, **settings})
    for number, consent in enumerate(consents):
        found.wear(f"m-{number}", f"d-{number}", consent=consent, groups=["tue"])
        found.event(f"d-{number}", 1000 * (number + 1), dir="BF"[number % 2],
                    step_ms=500 + 10 * number)
    return found


def test_groups_give_nobody_away():
    expect(len(group_of("member", "member").rows("group_window")), 0, "rows of 2")
    row, = group_of("member", "member", "member", "member").rows("group_window")
    expect_fields(row, "the row of 4", members=4, steps=4, backward_pct=50, slips=0,
                  cadence_spm_p50=(60000 / 510 + 60000 / 520) / 2)
    expect(len(group_of("member", "member", "member", "group", "group").rows("group_window")), 0,
           "rows with 2 without name")
    expect(len(group_of("member", "group", "group", "group").rows("group_window")), 1,
           "rows with 3 without name")


def test_a_session_is_summed_up():
    found = Class()
    found.put("drill", "d", {"phases": [{"name": "p", "direction": "F"}]})
    found.put("session", "tue", {"drill": "d", "start": "2026-11-26T18:00:00Z",
                                 "end": "2026-11-26T18:00:30Z"})
    found.wear("m", "belt", "left", groups=["tue"])
    block(found, after=[600, 600, 600])
    found.time += 30_000
    found.walk("FFF")  # after the end
    row, = found.rows("session_summary")
    expect_fields(row, "the summary", steps=37, forward_steps=29, backward_steps=8, side_steps=0,
                  up_steps=0, bouts=3, carry_overs=1, slips=1, duration_s=18.5, retention_pct=80)


def test_consent_withdrawn():
    """What waits passes, the bout ends and is written; what comes then is rejected."""
    found = Class(reorder_ms=10_000)
    found.walk("FFFFF")
    found.wear("m", "belt", consent="none", at=2600)
    found.walk("FFFFF")
    row, = found.rows("gait_bout")
    expect_fields(row, "the bout", steps=5, open=False)
    window, = found.rows("gait_window")
    expect_fields(window, "the window", steps=5, final=False)
    expect(found.run().books["steps_rejected.no_consent"], 5, "rejected steps")


# --- messages -------------------------------------------------------------------------------------

def test_a_binary_batch():
    body = struct.pack("<2sBBIIHHq", b"BS", 1, 1, 7, 9, 4, 0, 1000) + \
        struct.pack("<HBBHHHHbbBB", 5, 2 | 2 << 2, 255, 500, 65535, 65535, 10, 4, -128, 31, 0)
    payload = body + struct.pack("<I", zlib.crc32(body))
    message = decode(payload)
    row, = message.rows
    expect((message.boot, row.seq, row.time, row.foot, row.direction, message.dropped),
           (7, 9, 1005, "R", "B", 1), "the event")
    expect(row.fields, {"step_ms": 500, "trunk_cdeg": 200, "vo_mm": 31}, "fields")
    try:
        decode(payload[:-1] + bytes([payload[-1] ^ 1]))
    except Rejected as reason:
        expect(str(reason), "malformed", "reason")
        return
    raise AssertionError("a wrong sum was accepted")


def test_lost_before_a_seq():
    boot = Boot()
    expect([boot.mark(seq) for seq in (10, 11, 11, 15, 13, 16, 4113, 4114 + 4097)],
           [0, 0, None, 3, 0, 0, 4096, 0], "lost")


def test_an_up_clock():
    clock = UpClock()
    expect(clock.at(0), None, "offset before anything was heard")
    clock.hear(1000, 500)
    clock.hear(2000, 450)
    clock.hear(3000, 600)
    expect(clock.at(3000), 450, "the least")
    expect(clock.at(62_001), 600, "that of the last 60 s")
    clock.hear(200_000, 9000)
    expect(clock.at(200_000), 450, "after a silence the last one takes part")
    expect(clock.at(260_001), 450, "and is kept")


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")
             and sys.argv[1:] in ([], [name])]
    failed = 0
    for name, test in tests:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"{name}: {error}\n  again: {sys.executable} {sys.argv[0]} {name}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
