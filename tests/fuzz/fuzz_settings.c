/* Any bytes as a settings document: an answer that is itself strict JSON, and no setting that its
 * row does not allow. */
#include "backstep/base/check.h"
#include "backstep/core/config.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(const struct bs_document_field *field, const void *at)
{
    if (field->type == BS_DOCUMENT_INTEGER) {
        double value = (double)*(const int64_t *)at;
        bs_check(value >= field->min && value <= field->max);
    } else if (field->type == BS_DOCUMENT_NUMBER) {
        double value = *(const double *)at;
        bs_check(value > field->min && value <= field->max);
    } else if (field->type == BS_DOCUMENT_OBJECT) {
        for (size_t i = 0; i < field->table.count; i++)
            check_field(&field->table.fields[i], (const char *)at + field->table.fields[i].offset);
    }
}

static void check_settings(const struct bs_settings *settings)
{
    struct bs_document_table table = bs_settings_table();
    for (size_t i = 0; i < table.count; i++)
        check_field(&table.fields[i], (const char *)settings + table.fields[i].offset);
}

static void check_result(struct bs_slice result, bool ok)
{
    struct bs_document_error error;
    struct bs_document_rev rev;
    cJSON *root = NULL;
    bs_check(bs_document_parse(result, &root, &rev, &error) == BS_OK);
    bs_check(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "ok")) == ok);
    cJSON_Delete(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_config *config = NULL;
    bs_check(bs_config_new(&config) == BS_OK);
    struct bs_settings before = *bs_config_settings(config);
    struct bs_config_arrival arrival = {
        .kind = BS_SLICE("settings"),
        .id = BS_SLICE("site"),
        .payload = bs_slice_of(data, size),
        .retained = size % 2 == 0,
        .at = {INT64_C(1795543198120)},
    };
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    check_settings(bs_config_settings(config));
    bs_check(outcome.changed || bs_settings_equal(&before, bs_config_settings(config)));
    if (size > 0) {
        bool ok = outcome.verdict == BS_CONFIG_ACCEPTED;
        bs_check(ok || outcome.verdict == BS_CONFIG_REJECTED);
        bs_check(ok || !outcome.changed);
        check_result(outcome.result, ok);
    }
    bs_config_free(config);
    return 0;
}
