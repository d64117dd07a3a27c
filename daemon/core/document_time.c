/* RFC 3339, to the letter: date, T, time, an optional fraction, Z or an offset (T and Z in either
 * case). Must read no clock and no time zone file. */
#include "document_parts.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    INT64_C(86400000)

/* The number that the next `digits` characters are, behind `before` (0: nothing); -1 where they
 * are none. */
static int take_number(struct bs_slice *rest, char before, size_t digits)
{
    size_t skip = before != 0;
    if (rest->length < skip + digits || (skip && rest->at[0] != before))
        return -1;
    int value = 0;
    for (size_t i = skip; i < skip + digits; i++) {
        if (rest->at[i] < '0' || rest->at[i] > '9')
            return -1;
        value = value * 10 + (rest->at[i] - '0');
    }
    *rest = bs_slice_after(*rest, skip + digits);
    return value;
}

static bool is_digit(struct bs_slice rest)
{
    return rest.length > 0 && rest.at[0] >= '0' && rest.at[0] <= '9';
}

/* ".120" and finer; without it 0 ms. -1 where no digit is behind the point. */
static int take_fraction(struct bs_slice *rest)
{
    if (rest->length == 0 || rest->at[0] != '.')
        return 0;
    *rest = bs_slice_after(*rest, 1);
    if (!is_digit(*rest))
        return -1;
    int ms = 0;
    for (int worth = 100; is_digit(*rest); worth /= 10) {
        ms += worth * (rest->at[0] - '0');
        *rest = bs_slice_after(*rest, 1);
    }
    return ms;
}

/* Minutes east of UTC. */
static bool take_offset(struct bs_slice *rest, int *ret_minutes)
{
    *ret_minutes = 0;
    if (rest->length == 1 && (rest->at[0] == 'Z' || rest->at[0] == 'z')) {
        *rest = bs_slice_after(*rest, 1);
        return true;
    }
    if (rest->length == 0 || (rest->at[0] != '+' && rest->at[0] != '-'))
        return false;
    int sign = rest->at[0] == '+' ? 1 : -1;
    int hours = take_number(rest, rest->at[0], 2);
    int minutes = take_number(rest, ':', 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_to(int year, int month, int day)
{
    int before = year - 1;
    int64_t days = INT64_C(365) * before + before / 4 - before / 100 + before / 400;
    for (int m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1 - 719162; /* those from the year 1 to 1970 */
}

static bool take_date(struct bs_slice *rest, int64_t *ret_days)
{
    int year = take_number(rest, 0, 4), month = take_number(rest, '-', 2);
    int day = take_number(rest, '-', 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *ret_days = days_to(year, month, day);
    return true;
}

/* A leap second is the last one of a day in UTC, and to Unix time the first of the next. */
static bool is_leap_second(int64_t ms_before)
{
    return (ms_before % DAY_MS + DAY_MS) % DAY_MS == DAY_MS - MINUTE_MS;
}

bool bs_document_read_time(struct bs_slice text, int64_t *ret)
{
    struct bs_slice rest = text;
    int64_t days;
    if (!take_date(&rest, &days) || rest.length == 0 || (rest.at[0] != 'T' && rest.at[0] != 't'))
        return false;
    int hour = take_number(&rest, rest.at[0], 2), minute = take_number(&rest, ':', 2);
    int second = take_number(&rest, ':', 2), fraction = take_fraction(&rest), east;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
        fraction < 0 || !take_offset(&rest, &east) || rest.length > 0)
        return false;
    int64_t to_minute = days * DAY_MS + (INT64_C(60) * hour + minute - east) * MINUTE_MS;
    if (second == 60 && !is_leap_second(to_minute))
        return false;
    int64_t ms = to_minute + second * INT64_C(1000) + fraction;
    if (ms < 0 || ms > BS_DOCUMENT_TIME_LAST_MS)
        return false;
    *ret = ms;
    return true;
}
