/* The floor the daemon stands on: Paho's asynchronous client with the daemon's options, which
 * receives and frees. Must never do anything else with a message.
 *
 *   drop PORT SITE */
#include <MQTTAsync.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECEIVE_MAXIMUM  100
#define SESSION_EXPIRY_S 604800

static char filter[128];

static int message_arrived(void *context, char *topic, int topic_length, MQTTAsync_message *m)
{
    (void)context;
    (void)topic_length;
    MQTTAsync_freeMessage(&m);
    MQTTAsync_free(topic);
    return 1;
}

static void connection_lost(void *context, char *cause)
{
    (void)context;
    fprintf(stderr, "drop: lost the connection: %s\n", cause ? cause : "");
    _exit(1);
}

static void connected(void *client, MQTTAsync_successData5 *data)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    (void)data;
    if (MQTTAsync_subscribe(client, filter, 1, &response) != MQTTASYNC_SUCCESS)
        _exit(1);
}

static void refused(void *context, MQTTAsync_failureData5 *data)
{
    (void)context;
    fprintf(stderr, "drop: no connection: %s\n", data->message ? data->message : "");
    _exit(1);
}

static void add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, unsigned value)
{
    MQTTProperty property = {.identifier = code};
    if (MQTTProperty_getType(code) == MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER)
        property.value.integer2 = (unsigned short)value;
    else
        property.value.integer4 = value;
    MQTTProperties_add(properties, &property);
}

static int connect_client(MQTTAsync client)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTProperties properties = MQTTProperties_initializer;
    add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, SESSION_EXPIRY_S);
    add_number(&properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_MAXIMUM);
    options.cleanstart = 0;
    options.keepAliveInterval = 30;
    options.connectProperties = &properties;
    options.context = client;
    options.onSuccess5 = connected;
    options.onFailure5 = refused;
    int code = MQTTAsync_connect(client, &options);
    MQTTProperties_free(&properties);
    return code;
}

int main(int argc, char **argv)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    MQTTAsync client;
    char uri[64];
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT SITE\n", argv[0]);
        return 64;
    }
    snprintf(uri, sizeof uri, "mqtt://127.0.0.1:%.10s", argv[1]);
    snprintf(filter, sizeof filter, "backstep/v1/%.64s/device/#", argv[2]);
    options.MQTTVersion = MQTTVERSION_5;
    if (MQTTAsync_createWithOptions(&client, uri, "drop", MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &options) != MQTTASYNC_SUCCESS)
        return 1;
    MQTTAsync_setCallbacks(client, NULL, connection_lost, message_arrived, NULL);
    if (connect_client(client) != MQTTASYNC_SUCCESS)
        return 1;
    for (;;)
        pause();
}
