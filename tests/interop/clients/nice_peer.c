/* SPDX-FileCopyrightText: The Stile authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * libnice as one side of ICE, by the lines of tests/natlab/ice_peers.py.
 *
 * usage: nice_peer controlling|controlled ADDRESS|- STUN_HOST:PORT|- TURN_HOST:PORT|- USER PASSWORD all|relay|tcp
 *                  regular|aggressive|renomination
 */
#include <agent.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GMainLoop *loop;
static NiceAgent *agent;
static guint stream;
static gchar *ufrag, *password, *greeting;
/* Whether new credentials of the peer are its answer, or a restart that wants one. */
static enum { WAITS_FOR_ANSWER, SETTLED } signalling;
static GString *input;

static void say(const char *event, const char *format, ...) {
    va_list values;
    printf("{\"event\": \"%s\", \"at\": %.6f", event, (double)g_get_monotonic_time() / 1e6);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    puts("}");
    fflush(stdout);
}

static const char *word(NiceCandidateType type) {
    static const char *const words[] = {"host", "srflx", "prflx", "relay"};
    return words[type];
}

static void on_data(NiceAgent *from, guint id, guint component, guint size, gchar *data, gpointer user) {
    (void)from, (void)id, (void)component, (void)user;
    gchar *valid = g_utf8_make_valid(data, size);
    gchar *text = g_strescape(valid, NULL);
    say("received", ", \"text\": \"%s\", \"octets\": %u", text, size);
    g_free(text);
    g_free(valid);
}

/* Once, as soon as the library takes it. */
static void greet(void) {
    if (!greeting || nice_agent_send(agent, stream, 1, (guint)strlen(greeting), greeting) <= 0) return;
    say("greeted", "");
    g_clear_pointer(&greeting, g_free);
}

static void on_state(NiceAgent *from, guint id, guint component, guint state, gpointer user) {
    (void)from, (void)id, (void)component, (void)user;
    gboolean controlling;
    g_object_get(agent, "controlling-mode", &controlling, NULL);
    const char *const text = state == NICE_COMPONENT_STATE_READY    ? "completed"
                             : state == NICE_COMPONENT_STATE_FAILED ? "failed"
                                                                    : "running";
    greet();
    say("state", ", \"state\": \"%s\", \"role\": \"%s\"", text, controlling ? "controlling" : "controlled");
}

static void on_pair(NiceAgent *from, guint id, guint component, NiceCandidate *local, NiceCandidate *remote,
                    gpointer user) {
    (void)from, (void)id, (void)component, (void)user;
    greet();
    gchar ours[NICE_ADDRESS_STRING_LEN], theirs[NICE_ADDRESS_STRING_LEN];
    nice_address_to_string(&local->addr, ours);
    nice_address_to_string(&remote->addr, theirs);
    say("selected", ", \"local_type\": \"%s\", \"remote_type\": \"%s\", \"local\": \"%s:%u\", \"remote\": \"%s:%u\"",
        word(local->type), word(remote->type), ours, nice_address_get_port(&local->addr), theirs,
        nice_address_get_port(&remote->addr));
}

static void on_candidate(NiceAgent *from, NiceCandidate *candidate, gpointer user) {
    (void)from, (void)user;
    gboolean udp;
    g_object_get(agent, "ice-udp", &udp, NULL);
    if ((candidate->transport == NICE_CANDIDATE_TRANSPORT_UDP) != udp) return;
    gchar *line = nice_agent_generate_local_candidate_sdp(agent, candidate);
    say("candidate", ", \"line\": \"%s\"", line);
    g_free(line);
}

static void on_gathered(NiceAgent *from, guint id, gpointer user) {
    (void)from, (void)id, (void)user;
    say("end-of-candidates", "");
}

static void describe(void) {
    gchar *name, *secret;
    nice_agent_get_local_credentials(agent, stream, &name, &secret);
    say("description", ", \"ufrag\": \"%s\", \"pwd\": \"%s\"", name, secret);
    g_free(name);
    g_free(secret);
}

/* The candidates stay as they are. */
static void restart(void) {
    nice_agent_restart(agent);
    describe();
    GSList *const candidates = nice_agent_get_local_candidates(agent, stream, 1);
    for (GSList *one = candidates; one; one = one->next) on_candidate(agent, one->data, NULL);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    say("end-of-candidates", "");
}

static void take_credentials(void) {
    if (signalling == SETTLED) restart();
    signalling = SETTLED;
    nice_agent_set_remote_credentials(agent, stream, ufrag, password);
    g_clear_pointer(&ufrag, g_free);
    g_clear_pointer(&password, g_free);
}

static void take(const char *line) {
    if (g_str_has_prefix(line, "a=ice-ufrag:")) {
        ufrag = g_strdup(line + 12);
    } else if (g_str_has_prefix(line, "a=ice-pwd:")) {
        password = g_strdup(line + 10);
    } else if (g_str_has_prefix(line, "a=candidate:")) {
        NiceCandidate *candidate = nice_agent_parse_remote_candidate_sdp(agent, stream, line);
        if (!candidate) return say("unused", "");
        GSList *list = g_slist_append(NULL, candidate);
        nice_agent_set_remote_candidates(agent, stream, 1, list);
        g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
    } else if (strcmp(line, "a=end-of-candidates") == 0) {
        nice_agent_peer_candidate_gathering_done(agent, stream);
    } else if (g_str_has_prefix(line, "send ")) {
        nice_agent_send(agent, stream, 1, (guint)strlen(line + 5), line + 5);
    } else if (g_str_has_prefix(line, "greet ")) {
        greeting = g_strdup(line + 6);
    } else if (strcmp(line, "restart") == 0) {
        restart();
        signalling = WAITS_FOR_ANSWER;
    } else if (strcmp(line, "close") == 0) {
        g_main_loop_quit(loop);
    }
    if (ufrag && password) take_credentials();
}

static gboolean on_input(gint fd, GIOCondition condition, gpointer user) {
    (void)condition, (void)user;
    char buffer[4096];
    const ssize_t size = read(fd, buffer, sizeof buffer);
    if (size <= 0) {
        g_main_loop_quit(loop);
        return FALSE;
    }
    g_string_append_len(input, buffer, size);
    for (char *end; (end = strchr(input->str, '\n'));) {
        *end = 0;
        take(input->str);
        g_string_erase(input, 0, end - input->str + 1);
    }
    return TRUE;
}

int main(int count, char **words) {
    if (count != 9) return 2;
    input = g_string_new(NULL);
    loop = g_main_loop_new(NULL, FALSE);
    const gboolean regular = strcmp(words[8], "aggressive") != 0;
    const gboolean renominates = strcmp(words[8], "renomination") == 0;
    agent = nice_agent_new_full(g_main_loop_get_context(loop), NICE_COMPATIBILITY_RFC5245,
                                NICE_AGENT_OPTION_ICE_TRICKLE | NICE_AGENT_OPTION_CONSENT_FRESHNESS |
                                    (regular ? NICE_AGENT_OPTION_REGULAR_NOMINATION : 0) |
                                    (renominates ? NICE_AGENT_OPTION_SUPPORT_RENOMINATION : 0));
    const gboolean tcp = strcmp(words[7], "tcp") == 0;
    g_object_set(agent, "controlling-mode", strcmp(words[1], "controlling") == 0, "upnp", FALSE, "ice-tcp", tcp,
                 "ice-udp", !tcp, "force-relay", strcmp(words[7], "relay") == 0, NULL);
    g_signal_connect(agent, "new-candidate-full", G_CALLBACK(on_candidate), NULL);
    g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
    g_signal_connect(agent, "component-state-changed", G_CALLBACK(on_state), NULL);
    g_signal_connect(agent, "new-selected-pair-full", G_CALLBACK(on_pair), NULL);
    if (strcmp(words[2], "-") != 0) {
        NiceAddress local;
        nice_address_init(&local);
        nice_address_set_from_string(&local, words[2]);
        nice_agent_add_local_address(agent, &local);
    }
    if (strcmp(words[3], "-") != 0) {
        gchar **const server = g_strsplit(words[3], ":", 2);
        g_object_set(agent, "stun-server", server[0], "stun-server-port", atoi(server[1]), NULL);
        g_strfreev(server);
    }
    stream = nice_agent_add_stream(agent, 1);
    if (strcmp(words[4], "-") != 0) {
        gchar **const server = g_strsplit(words[4], ":", 2);
        nice_agent_set_relay_info(agent, stream, 1, server[0], (guint)atoi(server[1]), words[5], words[6],
                                  NICE_RELAY_TYPE_TURN_UDP);
        g_strfreev(server);
    }
    nice_agent_attach_recv(agent, stream, 1, g_main_loop_get_context(loop), on_data, NULL);
    describe();
    g_unix_fd_add(0, G_IO_IN | G_IO_HUP, on_input, NULL);
    nice_agent_gather_candidates(agent, stream);
    g_main_loop_run(loop);
    g_object_unref(agent);
    return 0;
}
