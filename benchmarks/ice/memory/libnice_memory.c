/* SPDX-FileCopyrightText: The Stile authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * usage: libnice_memory CANDIDATES AGENTS
 *
 * The same of libnice as memory.cpp measures, over loopback: octets of the heap of one agent while it
 * checks pairs that do not answer, and of one that is connected. To be run with G_SLICE=always-malloc.
 */
#include <agent.h>
#include <arpa/inet.h>
#include <gio/gio.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    NiceAgent *agent;
    guint stream;
    gboolean gathered, ready;
} Side;

static GMainContext *context;

static size_t heap(void) { return mallinfo2().uordblks; }

static void on_gathered(NiceAgent *agent, guint stream, gpointer user) {
    (void)agent, (void)stream;
    ((Side *)user)->gathered = TRUE;
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer user) {
    (void)agent, (void)stream, (void)component;
    if (state == NICE_COMPONENT_STATE_READY) ((Side *)user)->ready = TRUE;
}

static void on_data(NiceAgent *agent, guint stream, guint component, guint size, gchar *data, gpointer user) {
    (void)agent, (void)stream, (void)component, (void)size, (void)data, (void)user;
}

static void spin_until(const gboolean *done) {
    const gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (!*done) {
        if (g_get_monotonic_time() > end) {
            fputs("libnice did not get there in 30 s\n", stderr);
            exit(1);
        }
        g_main_context_iteration(context, FALSE) ? (void)0 : g_usleep(200);
    }
}

static void spin_for(double seconds, size_t *most, size_t before) {
    const gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    while (g_get_monotonic_time() < end) {
        if (!g_main_context_iteration(context, FALSE)) g_usleep(200);
        if (most && heap() - before > *most) *most = heap() - before;
    }
}

static Side *make(int candidates, gboolean controlling, int side) {
    Side *made = g_new0(Side, 1);
    made->agent = nice_agent_new_full(context, NICE_COMPATIBILITY_RFC5245,
                                      NICE_AGENT_OPTION_CONSENT_FRESHNESS | NICE_AGENT_OPTION_REGULAR_NOMINATION);
    g_object_set(made->agent, "controlling-mode", controlling, "upnp", FALSE, "ice-tcp", FALSE, NULL);
    for (int i = 0; i < candidates; ++i) {
        char text[32];
        snprintf(text, sizeof text, "127.%d.0.%d", side + 1, i + 1);
        NiceAddress address;
        nice_address_init(&address);
        nice_address_set_from_string(&address, text);
        nice_agent_add_local_address(made->agent, &address);
    }
    g_signal_connect(made->agent, "candidate-gathering-done", G_CALLBACK(on_gathered), made);
    g_signal_connect(made->agent, "component-state-changed", G_CALLBACK(on_state), made);
    made->stream = nice_agent_add_stream(made->agent, 1);
    nice_agent_attach_recv(made->agent, made->stream, 1, context, on_data, NULL);
    nice_agent_gather_candidates(made->agent, made->stream);
    spin_until(&made->gathered);
    return made;
}

static void tell(Side *from, Side *to) {
    gchar *ufrag, *password;
    nice_agent_get_local_credentials(from->agent, from->stream, &ufrag, &password);
    nice_agent_set_remote_credentials(to->agent, to->stream, ufrag, password);
    GSList *list = nice_agent_get_local_candidates(from->agent, from->stream, 1);
    nice_agent_set_remote_candidates(to->agent, to->stream, 1, list);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
    g_free(ufrag);
    g_free(password);
}

/* Sockets that take everything and say nothing: refused ones would end the checks early. */
static void tell_of_black_holes(Side *to, int candidates) {
    nice_agent_set_remote_credentials(to->agent, to->stream, "abcd", "0123456789012345678901");
    GSList *list = NULL;
    for (int i = 0; i < candidates; ++i) {
        struct sockaddr_in hole = {.sin_family = AF_INET};
        char text[32];
        snprintf(text, sizeof text, "127.9.0.%d", i + 1);
        inet_pton(AF_INET, text, &hole.sin_addr);
        const int fd = socket(AF_INET, SOCK_DGRAM, 0);
        socklen_t size = sizeof hole;
        if (bind(fd, (struct sockaddr *)&hole, size) != 0) exit(1);
        getsockname(fd, (struct sockaddr *)&hole, &size);
        NiceCandidate *candidate = nice_candidate_new(NICE_CANDIDATE_TYPE_HOST);
        candidate->transport = NICE_CANDIDATE_TRANSPORT_UDP;
        candidate->component_id = 1;
        candidate->stream_id = to->stream;
        candidate->priority = 2000000000U - (guint)i;
        snprintf(candidate->foundation, sizeof candidate->foundation, "%d", i + 1);
        nice_address_set_from_sockaddr(&candidate->addr, (struct sockaddr *)&hole);
        list = g_slist_append(list, candidate);
    }
    nice_agent_set_remote_candidates(to->agent, to->stream, 1, list);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
}

static size_t checking(int candidates) {
    Side *warm = make(candidates, TRUE, 0);
    tell_of_black_holes(warm, candidates);
    spin_for(0.2, NULL, 0);
    const size_t before = heap();
    Side *one = make(candidates, TRUE, 0);
    tell_of_black_holes(one, candidates);
    size_t most = 0;
    spin_for(5, &most, before);
    g_object_unref(warm->agent);
    g_object_unref(one->agent);
    spin_for(0.2, NULL, 0);
    return most;
}

static void meet(int candidates) {
    Side *left = make(candidates, TRUE, 0);
    Side *right = make(candidates, FALSE, 1);
    tell(left, right);
    tell(right, left);
    spin_until(&left->ready);
    spin_until(&right->ready);
}

int main(int count, char **words) {
    if (count != 3) return 2;
    const int candidates = atoi(words[1]);
    const int pairs = (atoi(words[2]) + 1) / 2;
    context = g_main_context_default();
    const size_t most = checking(candidates);
    meet(candidates);
    spin_for(1, NULL, 0);
    const size_t before = heap();
    for (int i = 0; i < pairs; ++i) meet(candidates);
    spin_for(8, NULL, 0);
    printf("%zu %zu\n", most, (heap() - before) / (size_t)(2 * pairs));
    return 0;
}
