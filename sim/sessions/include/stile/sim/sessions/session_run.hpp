// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/session/endpoint.hpp>
#include <stile/sim/sessions/sip_host.hpp>
#include <stile/sim/sessions/turn_host.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// A replacement in what one person's stream carries, of equal length: a middle that alters.
struct Alteration {
    std::string from;
    std::string to;
};

// How long a connection to the SIP server takes: one round trip, or one more for TLS.
enum class Handshakes : std::uint8_t { Tcp, TcpAndTls };

// Alice on the left fetches from Bob on the right, who has registered: both are whole endpoints;
// between them are a SIP server, a TURN server and whatever NATs the scene has.
class SessionRun {
public:
    enum class Answering : std::uint8_t { Accepts, Rejects, Ignores };

    struct Person {
        std::string user;
        HostId host;
        SocketAddress address;  // its port is that of the signalling
        session::Endpoint endpoint;
        std::optional<StreamId> stream = {};
        std::optional<StreamId> connecting = {};
        std::vector<session::EndpointEvent> events = {};
        std::map<session::SessionId, std::size_t> received = {};  // application datagrams
        std::optional<session::SessionId> latest = {};
        Answering answering = Answering::Accepts;
        std::optional<Alteration> alteration = {};  // of what it sends
        std::string signalling = {};                // all that it has sent
        std::vector<Bytes> payloads = {};           // received, and not those of send_data()
        std::vector<IpAddress> addresses = {};      // that its sockets have
    };

    // `trickling` is Alice's, who asks.
    SessionRun(const Scene& scene, std::uint64_t seed,
               session::Trickling trickling = session::Trickling::Full);

    Person& alice() { return people_[0]; }
    Person& bob() { return people_[1]; }
    World& world() { return world_; }
    // Sessions from now on ask this STUN server, too; nobody needs to be there.
    void add_stun_server(SocketAddress address) { more_stun_servers_.push_back(address); }
    SipHost& sip() { return sip_; }
    TurnHost& turn() { return turn_; }

    // Both connect, and Bob registers. False when that did not work.
    [[nodiscard]] bool start();
    // Alice asks for this address.
    session::SessionId fetch(const std::string& address);
    void end(Person& person);
    void end_when_told(Person& person, Duration patience);
    void send_data(Person& person);
    void send(Person& person, BytesView payload);

    void set_handshakes(Handshakes handshakes) { handshakes_ = handshakes; }
    // A person's network changes, and the machine notices: sockets with the same port on the new
    // addresses, and a connection to the server from there as soon as the one of before is gone.
    void join(Person& person, const Uplink& uplink);
    void leave(Person& person, const std::vector<IpAddress>& addresses);

    // The next thing that happens, up to the deadline; false when it is reached.
    bool step(Instant deadline);
    void run_for(Duration time) { run_until(world_.now() + time); }
    void run_until(Instant end);
    // True as soon as it holds; false when the time is over.
    template <class Condition>
    bool run_while_not(Duration limit, Condition&& condition) {
        const Instant end = world_.now() + limit;
        while (!condition() && world_.now() < end) run_for(std::chrono::milliseconds{50});
        return condition();
    }

    // The whole of a session that works, from fetch to BYE; empty when it went as it should.
    std::optional<std::string> run_whole_session();

    static identity::Fingerprint fingerprint_of(std::string_view user);

private:
    session::EndpointConfig endpoint_config(const std::string& user, session::Purpose purpose,
                                            session::Trickling trickling);
    // New sockets of a session: a port that no other of this person has.
    connect::ConnectorConfig path_config(const Person& person);
    void drain_person(Person& person);
    void handle(Person& person, session::EndpointEvent event);
    void connect(Person& person);
    static bool has_address(const Person& person, const SocketAddress& local);
    void open_flow(Person& person, const StreamOpened& opened);
    void handle(Happening happening);
    void handle(Person& person, const StreamOpened& opened);
    void handle(Person& person, const StreamArrived& arrived);
    void handle(Person& person, const StreamClosed& closed);
    void handle(Person& person, const DatagramArrived& arrived);
    void handle_timeouts();
    std::optional<Instant> next_timeout() const;
    Person* person_at(HostId host);

    Scene scene_;
    World world_;
    TurnHost turn_;
    SipHost sip_;
    std::vector<Person> people_;
    // Whose they are, and since when they are being opened.
    struct Opener {
        HostId host;
        Instant since;
    };
    std::map<StreamId, Opener> openers_;
    Handshakes handshakes_ = Handshakes::Tcp;
    std::multimap<Instant, StreamOpened> in_handshake_;
    // Sockets are named by their port alone: each has one address of each family.
    std::map<std::pair<HostId, Port>, std::optional<session::SessionId>> sockets_;
    std::uint16_t last_port_ = 6000;
    std::vector<SocketAddress> more_stun_servers_;
};

// The last event of a kind, and how many there were.
template <class Event>
const Event* last(const SessionRun::Person& person) {
    for (auto event = person.events.rbegin(); event != person.events.rend(); ++event) {
        if (const auto* const found = std::get_if<Event>(&*event)) return found;
    }
    return nullptr;
}

}  // namespace stile::sim
