// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/machine.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/portmap/epoch.hpp>
#include <stile/portmap/limits.hpp>
#include <stile/portmap/mapping.hpp>
#include <stile/portmap/nat_pmp.hpp>
#include <stile/portmap/pcp.hpp>

#include <deque>
#include <expected>
#include <optional>
#include <variant>
#include <vector>

namespace stile::portmap {

// One mapping of a client; never reused.
struct MappingId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(MappingId, MappingId) = default;
};

struct ClientConfig {
    IpAddress gateway;
    IpAddress local;  // ours towards the gateway; of the same family
    std::chrono::seconds lifetime = limits::wanted_lifetime;  // to ask for, positive
};

// What a gateway was found to speak.
enum class Dialect : std::uint8_t { Unknown, Pcp, NatPmp };

enum class Refusal : std::uint8_t {
    NoAnswer,         // it speaks neither protocol, or something on the way drops them
    PortUnreachable,  // it says so itself
    NotAuthorized,    // switched off for us
    NoExternal,       // it has no external address (yet)
    NoResources,      // its table, or our quota, is full
    AnotherNat,       // a NAT is between us and it: ADDRESS_MISMATCH
    NotSupported,     // version, operation or protocol
    Other,
};

enum class MapError : std::uint8_t {
    TooMany,  // limits::most_mappings
    Known,    // this port of this protocol is a mapping already
};

// Keeps ports of this host open at one gateway, by PCP (RFC 6887) or, where the gateway does not
// know that, by NAT-PMP (RFC 6886). It holds no socket, clock or random source. For IPv6 the same
// opens a firewall.
//
// Order of calls: map() what is wanted; send what poll_transmit gives from one socket of
// config.local, the same each time; hand in what that socket and, where there is one, the socket
// for announcements get. At the end unmap() all and go on until idle().
class Client {
public:
    // The port is reachable from outside at this address. Said again when that changes.
    struct Mapped {
        MappingId mapping;
        SocketAddress external;
        Dialect dialect;
    };
    // It was, and is no longer. The client goes on asking.
    struct Lost {
        MappingId mapping;
    };
    // Said once for each kind of refusal in a row. The client asks again at times.
    struct Refused {
        MappingId mapping;
        Refusal why;
    };
    using Event = std::variant<Mapped, Lost, Refused>;

    Client(ClientConfig config, crypto::RandomStream random);

    [[nodiscard]] std::expected<MappingId, MapError> map(Instant now, Protocol protocol,
                                                         Port internal);
    // Nothing more is said of it. Does nothing to one that is not there.
    void unmap(Instant now, MappingId mapping);

    // Datagrams from others than the gateway are dropped, and so is what no request asked for.
    void handle_datagram(Instant now, const SocketAddress& source, BytesView datagram);
    // ICMP says that nobody listens at the gateway. RFC 6886 Section 3.1.
    void handle_unreachable(Instant now);
    void handle_timeout(Instant now);

    std::optional<Transmit> poll_transmit();  // path.local has port 0: the socket is the caller's
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    std::optional<SocketAddress> external(MappingId mapping) const;
    Dialect dialect() const { return dialect_; }
    // Nothing is mapped, and no removal waits for its answer.
    bool idle() const { return mappings_.empty(); }

private:
    enum class Phase : std::uint8_t { Asking, Mapped, Removing };
    enum class Exchange : std::uint8_t { Idle, AwaitsAnswer };
    struct Mapping {
        MappingId id;
        Protocol protocol;
        Port internal;
        pcp::Nonce nonce;
        Phase phase = Phase::Asking;
        Exchange exchange = Exchange::Idle;
        unsigned requests = 0;  // since the last answer or change of phase
        Duration interval{0};   // PCP's RT
        Instant next_request{};
        Instant patience{};                       // while nothing is said in Asking
        std::optional<SocketAddress> external{};  // once known; what to suggest later
        Instant granted{};                        // with Mapped: when, and until when
        Instant expires{};
        std::optional<Refusal> said{};  // since it was last mapped
    };
    // NAT-PMP's, while it is open.
    struct AddressQuestion {
        unsigned requests = 0;
        Instant next_request;
    };

    const Mapping* find(MappingId id) const;
    Mapping* find(Protocol protocol, Port internal);

    void take_pcp(Instant now, BytesView datagram);
    void take_nat_pmp(Instant now, BytesView datagram);
    void take(Instant now, const pcp::MapResponse& response);
    void take(Instant now, const nat_pmp::MapResponse& response);
    void take(Instant now, const nat_pmp::AddressResponse& response);
    void settle(Instant now, Dialect dialect);
    void note_epoch(Instant now, std::chrono::seconds count);
    void grant(Instant now, Mapping& mapping, const SocketAddress& external,
               std::chrono::seconds lifetime);
    void refuse(Instant now, Mapping& mapping, Refusal why, Duration hold);
    void refuse_all(Instant now, Refusal why, Duration hold);
    void begin_asking(Instant now, Mapping& mapping);
    void lose(Instant now, Mapping& mapping);

    // NAT-PMP takes one request at a time, and the address first.
    bool has_turn(const Mapping& mapping) const;
    void attend(Instant now);
    void attend(Instant now, Mapping& mapping);
    void send_request(Instant now, Mapping& mapping);
    void ask_address(Instant now);
    unsigned most_requests(const Mapping& mapping) const;
    void schedule_next(Instant now, Mapping& mapping);
    void schedule_renewal(Instant now, Mapping& mapping);
    Bytes request_of(const Mapping& mapping) const;
    Duration part_of(Duration whole, Duration most_more);
    void queue_event(Event event);

    ClientConfig config_;
    crypto::RandomStream random_;
    Dialect dialect_ = Dialect::Unknown;
    Epoch epoch_;
    std::vector<Mapping> mappings_;
    std::optional<AddressQuestion> question_;
    std::optional<IpAddress> address_;  // NAT-PMP's answer
    std::uint32_t last_id_ = 0;
    std::deque<Bytes> transmits_;
    Bytes current_transmit_;
    std::deque<Event> events_;
};

}  // namespace stile::portmap
