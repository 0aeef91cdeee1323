/* SPDX-FileCopyrightText: The Stile authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two agents of libnice that may use nothing but relayed candidates: they connect through the
 * server, and each gets what the other sends.
 *
 * usage: nice_client udp|tcp SERVER PORT USER PASSWORD
 */
#include <agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_SECONDS = 20 };

static GMainLoop *loop;
static NiceAgent *agents[2];
static guint streams[2];
static int gathered, ready, received;

static int other(NiceAgent *agent) { return agent == agents[0] ? 1 : 0; }

static gboolean give_up(gpointer why) {
    printf("gave up: %s (gathered %d, ready %d, received %d)\n", (char *)why, gathered, ready, received);
    exit(1);
}

static void on_data(NiceAgent *agent, guint stream, guint component, guint size, gchar *data, gpointer user) {
    (void)agent, (void)stream, (void)component, (void)user;
    if (size == 5 && memcmp(data, "hello", 5) == 0 && ++received >= 2) g_main_loop_quit(loop);
}

static gboolean send_again(gpointer user) {
    (void)user;
    for (int i = 0; i < 2; ++i) nice_agent_send(agents[i], streams[i], 1, 5, "hello");
    return TRUE;
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer user) {
    (void)stream, (void)component, (void)user, (void)agent;
    if (state == NICE_COMPONENT_STATE_FAILED) give_up("a component failed");
    if (state == NICE_COMPONENT_STATE_READY && ++ready == 2) g_timeout_add(50, send_again, NULL);
}

static void hand_over(int from, int to) {
    gchar *ufrag, *password;
    nice_agent_get_local_credentials(agents[from], streams[from], &ufrag, &password);
    nice_agent_set_remote_credentials(agents[to], streams[to], ufrag, password);
    GSList *candidates = nice_agent_get_local_candidates(agents[from], streams[from], 1);
    for (GSList *item = candidates; item; item = item->next) {
        NiceCandidate *candidate = item->data;
        gchar text[NICE_ADDRESS_STRING_LEN];
        nice_address_to_string(&candidate->addr, text);
        printf("candidate of %d: type %d, %s:%u\n", from, candidate->type, text,
               nice_address_get_port(&candidate->addr));
        if (candidate->type != NICE_CANDIDATE_TYPE_RELAYED) give_up("a candidate is not relayed");
    }
    if (!candidates || nice_agent_set_remote_candidates(agents[to], streams[to], 1, candidates) < 1) {
        give_up("no relayed candidate");
    }
}

static void on_gathered(NiceAgent *agent, guint stream, gpointer user) {
    (void)stream, (void)user, (void)other(agent);
    if (++gathered < 2) return;
    hand_over(0, 1);
    hand_over(1, 0);
}

int main(int count, char **words) {
    if (count != 6) return 2;
    const NiceRelayType type = strcmp(words[1], "udp") == 0 ? NICE_RELAY_TYPE_TURN_UDP : NICE_RELAY_TYPE_TURN_TCP;
    loop = g_main_loop_new(NULL, FALSE);
    for (int i = 0; i < 2; ++i) {
        agents[i] = nice_agent_new(g_main_loop_get_context(loop), NICE_COMPATIBILITY_RFC5245);
        g_object_set(agents[i], "controlling-mode", i == 0, "force-relay", TRUE, "upnp", FALSE, NULL);
        g_signal_connect(agents[i], "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
        g_signal_connect(agents[i], "component-state-changed", G_CALLBACK(on_state), NULL);
        NiceAddress local;
        nice_address_init(&local);
        nice_address_set_from_string(&local, "198.18.0.3");
        nice_agent_add_local_address(agents[i], &local);
        streams[i] = nice_agent_add_stream(agents[i], 1);
        nice_agent_set_relay_info(agents[i], streams[i], 1, words[2], (guint)atoi(words[3]), words[4], words[5], type);
        nice_agent_attach_recv(agents[i], streams[i], 1, g_main_loop_get_context(loop), on_data, NULL);
    }
    g_timeout_add_seconds(PATIENCE_SECONDS, give_up, "time is over");
    for (int i = 0; i < 2; ++i) nice_agent_gather_candidates(agents[i], streams[i]);
    g_main_loop_run(loop);
    puts("done");
    return 0;
}
