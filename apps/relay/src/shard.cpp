// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "shard.hpp"

#include "limits.hpp"
#include "tag.hpp"
#include "tenant_config.hpp"

#include <stile/base/assert.hpp>
#include <stile/drivers/random.hpp>

namespace stile::relay {
namespace {

constexpr Duration clock_interval = std::chrono::seconds{10};
// Quotas of what the kernel carries are counted this late; well within drivers::kernel_lease_time.
constexpr Duration kernel_interval = std::chrono::seconds{1};

StartError cannot_listen(const Listener& listener, std::string_view protocol,
                         const std::string& cause) {
    return {.what = "cannot listen on " + listener.address.to_string() + " (" +
                    std::string{protocol} + ")",
            .cause = cause};
}

}  // namespace

Shard::Shard(Common& common, std::uint8_t number, const Settings& settings,
             const Contexts& contexts)
    : common_(common),
      number_(number),
      sockets_(loop_, {.on_arrivals = [this](drivers::UdpSocketSet::Id, std::uint64_t tag,
                                             auto arrivals) { handle_arrivals(tag, arrivals); },
                       .on_icmp_error =
                           [this](drivers::UdpSocketSet::Id, std::uint64_t tag,
                                  const drivers::IcmpError& error) {
                               if (!tag::is_relay(tag)) return;
                               tenants_[tag::tenant(tag)]->handle_icmp(tag::index(tag), error);
                           },
                       .on_round = [this] { end_round(); }}),
      contexts_(contexts),
      streams_(loop_, settings.streams,
               {.on_message =
                    [this](const StreamFront::ClientPointer& client, BytesView message) {
                        handle_message(client->tenant, client->flow, message);
                        // A ConnectionBind takes the connection at once.
                        tenants_[client->tenant]->pump();
                    },
                .on_batch =
                    [this](std::size_t tenant) {
                        tenants_[tenant]->pump();
                        sockets_.flush();
                    },
                .on_gone =
                    [this](const StreamClient& client) { client_gone(client.tenant, client.flow); },
                .on_https = common.on_https}),
      random_(drivers::random_seed()),
      clock_timer_(loop_,
                   [this] {
                       for (const auto& tenant : tenants_) tenant->set_wall_time();
                       foreign_.expire(loop_.now());
                       clock_timer_.arm_after(clock_interval);
                   }),
      kernel_timer_(loop_, [this] {
          account_for_kernel(common_);
          kernel_timer_.arm_after(kernel_interval);
      }) {
    ports_ = std::make_unique<RelayPorts>(settings.relay_addresses, settings.ports, random_.fork());
    streams_.set_context(contexts.tls);
    for (std::size_t i = 0; i < settings.tenants.size(); ++i) add_tenant(settings, i);
    clock_timer_.arm_after(clock_interval);
}

void Shard::add_tenant(const Settings& settings, std::size_t index) {
    const turn::Offer offload = common_.kernel ? common_.kernel->offer() : turn::Offer::NotOffered;
    tenants_.push_back(std::make_unique<TenantFront>(
        TenantFront::Parts{.loop = loop_,
                           .sockets = sockets_,
                           .clients = *this,
                           .ports = *ports_,
                           .directory = common_.directory,
                           .kernel = common_.kernel.get(),
                           .shard = number_,
                           .tenant = index,
                           .relay_tag = tag::relays_of(index)},
        service_config(settings, settings.tenants[index], number_, common_.directory, offload),
        random_.fork()));
    const bool filled =
        fill_credentials(tenants_.back()->service().credentials(), settings.tenants[index]);
    STILE_ASSERT(filled);
}

void Shard::handle_offloaded(const KernelOffload::Carried& carried) {
    tenants_[carried.place.tenant]->handle_offloaded(carried.place.relay, carried.traffic);
}

void account_for_kernel(Common& common) {
    for (const auto& carried : common.kernel->tend()) {
        Shard& shard = *common.shards[carried.place.shard];
        shard.post([&shard, carried] { shard.handle_offloaded(carried); });
    }
}

Shard::~Shard() { stop(); }

void Shard::stop() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
}

void Shard::run() {
    if (common_.kernel && number_ == 0) kernel_timer_.arm_after(Duration::zero());
    thread_ = std::thread{[this] { loop_.run(); }};
}

void Shard::mail(drivers::Task task) {
    if (mailed_.fetch_add(1, std::memory_order_relaxed) >= most_mail) {
        mailed_.fetch_sub(1, std::memory_order_relaxed);
        return;
    }
    loop_.post([this, task = std::move(task)]() mutable {
        mailed_.fetch_sub(1, std::memory_order_relaxed);
        task();
    });
}

std::expected<SocketAddress, StartError> Shard::listen(const Listener& listener,
                                                       const Contexts& contexts) {
    switch (listener.kind) {
        case ListenerKind::Udp:
        case ListenerKind::Dtls:
            return listen_udp(listener, contexts);
        case ListenerKind::Tcp:
        case ListenerKind::Tls:
            return listen_tcp(listener, contexts);
    }
    return std::unexpected(StartError{});
}

std::expected<SocketAddress, StartError> Shard::listen_udp(Listener listener,
                                                           const Contexts& contexts) {
    const bool dtls_alone = listener.kind == ListenerKind::Dtls;
    if (dtls_alone && !contexts.dtls) {
        return std::unexpected(cannot_listen(listener, "DTLS", "there is no certificate"));
    }
    const auto socket = sockets_.open(listener.address, listener_options(udp_listeners_.size()));
    if (!socket) return std::unexpected(cannot_listen(listener, "UDP", socket.error().text));
    listener.address = sockets_.local_address(*socket);
    udp_listeners_.push_back({.listener = listener, .socket = *socket, .dtls = {}});
    if (contexts.dtls) begin_dtls(udp_listeners_.back(), *contexts.dtls);
    return listener.address;
}

drivers::UdpSocketSet::Options Shard::listener_options(std::size_t index) const {
    return {.senders = drivers::UdpSocketSet::Senders::Many,
            .reuse_port = drivers::UdpOptions::ReusePort::Yes,
            .receive_buffer = 4'194'304,
            .send_buffer = 1'048'576,
            .tag = tag::listener(index)};
}

void Shard::begin_dtls(UdpListener& listener, const drivers::TlsContext& context) {
    const std::size_t tenant = listener.listener.tenant;
    const drivers::UdpSocketSet::Id socket = listener.socket;
    listener.dtls = std::make_unique<DtlsFront>(
        loop_, context,
        DtlsFront::Handlers{
            .on_output =
                [this, socket](std::optional<drivers::UdpSocketSet::Id> own, const Path& path,
                               BytesView datagram) {
                    sockets_.send({.from = own.value_or(socket),
                                   .path = path,
                                   .prefix = {},
                                   .payload = datagram});
                    sockets_.flush();
                },
            .on_message =
                [this, tenant](const turn::ClientFlow& flow, BytesView message) {
                    handle_message(tenant, flow, message);
                    tenants_[tenant]->pump();
                    sockets_.flush();
                },
            .on_gone = [this,
                        tenant](const turn::ClientFlow& flow) { client_gone(tenant, flow); }});
}

std::expected<SocketAddress, StartError> Shard::listen_tcp(Listener listener,
                                                           const Contexts& contexts) {
    const bool tls_alone = listener.kind == ListenerKind::Tls;
    const std::string_view protocol = tls_alone ? "TLS" : "TCP";
    if (tls_alone && !contexts.tls) {
        return std::unexpected(cannot_listen(listener, protocol, "there is no certificate"));
    }
    auto made = std::make_unique<TcpListener>();
    TcpListener* const raw = made.get();
    auto socket = drivers::TcpListener::open(
        loop_, listener.address,
        [this, raw](std::unique_ptr<drivers::TcpStream> stream) {
            accept(std::move(stream), raw->listener);
        },
        {.reuse_port = drivers::ListenOptions::ReusePort::Yes, .backlog = 511, .accepted = {}});
    if (!socket) return std::unexpected(cannot_listen(listener, protocol, socket.error().text));
    listener.address = (*socket)->local_address();
    made->listener = listener;
    made->socket = *std::move(socket);
    tcp_listeners_.push_back(std::move(made));
    return listener.address;
}

void Shard::add_statistics(Statistics& sum) const {
    for (const auto& tenant : tenants_) {
        const turn_server::Service& service = tenant->service();
        const turn::ServerCounters& relay = service.relay_counters();
        sum.relay.packets_to_peers += relay.packets_to_peers;
        sum.relay.octets_to_peers += relay.octets_to_peers;
        sum.relay.packets_to_clients += relay.packets_to_clients;
        sum.relay.octets_to_clients += relay.octets_to_clients;
        sum.relay.allocations_made += relay.allocations_made;
        sum.relay.refused.add(relay.refused);
        for (std::size_t i = 0; i < relay.dropped.size(); ++i) {
            sum.relay.dropped[i] += relay.dropped[i];
        }
        sum.binding_answers += service.counters().binding_answers;
        sum.strangers_answered += service.counters().strangers_answered;
        sum.strangers_silenced += service.counters().strangers_silenced;
        sum.allocations += service.allocations();
        sum.relays += service.relays();
    }
    for (const UdpListener& listener : udp_listeners_) {
        if (listener.state == UdpListener::State::Closed) continue;
        sum.receive_queue_drops += sockets_.kernel_drops(listener.socket);
        if (listener.dtls) sum.dtls_clients += listener.dtls->clients();
    }
    sum.stream_clients += streams_.clients();
    sum.stream_drops += streams_.dropped();
    sum.send_errors += sockets_.counters().send_errors + sockets_.counters().send_drops;
}

void Shard::add_sessions(std::vector<turn::Session>& list) const {
    for (const auto& tenant : tenants_) {
        for (auto& session : tenant->service().sessions(loop_.now())) {
            list.push_back(std::move(session));
        }
    }
}

void Shard::take_usage(std::vector<turn::Usage>& list) {
    for (const auto& tenant : tenants_) {
        for (auto& usage : tenant->take_usage()) list.push_back(std::move(usage));
    }
}

void Shard::drain(const std::optional<turn::Redirect>& redirect) {
    for (const auto& tenant : tenants_) tenant->service().drain(redirect);
}

}  // namespace stile::relay
