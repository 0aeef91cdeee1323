// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/external_address.hpp>

#include <stile/base/try.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/drivers/random.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/message_builder.hpp>

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace stile::relay {
namespace {

Instant now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// The server's address of the family of `local`. The default port is STUN's.
std::expected<SocketAddress, std::string> resolve(const std::string& server,
                                                  const IpAddress& local) {
    if (const auto literal = SocketAddress::parse(server)) {
        if (literal->ip.family() == local.family()) return *literal;
        return std::unexpected("the STUN server's address is of the other family");
    }
    const std::size_t colon = server.rfind(':');
    const std::string host = server.substr(0, colon);
    const std::string port = colon == std::string::npos ? "3478" : server.substr(colon + 1);
    addrinfo hints{};
    hints.ai_family = local.is_v6() ? AF_INET6 : AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (failed != 0) {
        return std::unexpected(
            fmt::format("'{}' cannot be resolved: {}", host, ::gai_strerror(failed)));
    }
    const std::unique_ptr<addrinfo, FreeAddresses> list{found};
    sockaddr_storage storage{};
    std::memcpy(&storage, list->ai_addr, list->ai_addrlen);
    return drivers::from_native(storage);
}

std::optional<IpAddress> mapped_in(BytesView response) {
    const auto message = stun::MessageView::parse(response);
    if (!message || message->message_class() != stun::Class::SuccessResponse) return std::nullopt;
    if (const auto mapped = message->get<stun::XorMappedAddress>()) return mapped->address.ip;
    if (const auto mapped = message->get<stun::MappedAddress>()) return mapped->address.ip;
    return std::nullopt;
}

}  // namespace

std::expected<IpAddress, std::string> ask_external_address(const std::string& server,
                                                           const IpAddress& local,
                                                           std::chrono::milliseconds patience) {
    const SocketAddress target = STILE_TRY(resolve(server, local));
    const drivers::FileDescriptor socket{
        ::socket(local.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const drivers::NativeAddress from = drivers::to_native({local, Port{}});
    const drivers::NativeAddress to = drivers::to_native(target);
    if (!socket.valid() || ::bind(socket.get(), from.get(), from.size) != 0 ||
        ::connect(socket.get(), to.get(), to.size) != 0) {
        return std::unexpected(fmt::format("no way from {} to {}: {}", local.to_string(),
                                           target.to_string(), std::strerror(errno)));
    }
    crypto::RandomStream random{drivers::random_seed()};
    stun::MessageBuilder request{stun::Class::Request, stun::Method::Binding,
                                 stun::TransactionId::random(random)};
    stun::ClientTransaction transaction{now(), request.add_fingerprint().finish()};
    const Instant end = now() + patience;
    std::array<std::byte, 1500> buffer;
    while (now() < end) {
        while (const auto datagram = transaction.poll_transmit()) {
            (void)::send(socket.get(), datagram->data(), datagram->size(), 0);
        }
        const Instant deadline = std::min(end, transaction.poll_timeout().value_or(end));
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
        pollfd ready{.fd = socket.get(), .events = POLLIN, .revents = 0};
        (void)::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
        const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == ECONNREFUSED) {
            return std::unexpected(fmt::format("nothing answers STUN at {}", target.to_string()));
        }
        if (count > 0) {
            const auto message =
                stun::MessageView::parse(BytesView{buffer}.first(static_cast<std::size_t>(count)));
            if (message) (void)transaction.handle_message(now(), *message, stun::Integrity::Passed);
        }
        transaction.handle_timeout(now());
        while (const auto event = transaction.poll_event()) {
            const auto* const answered = std::get_if<stun::ClientTransaction::Answered>(&*event);
            if (answered == nullptr) break;
            if (const auto mapped = mapped_in(answered->response)) return *mapped;
            return std::unexpected(
                fmt::format("{} answers without a mapped address", target.to_string()));
        }
    }
    return std::unexpected(fmt::format("no answer from {} within {} s", target.to_string(),
                                       std::chrono::duration<double>(patience).count()));
}

}  // namespace stile::relay
