// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/drivers/peer_store.hpp>
#include <stile/drivers/server_store.hpp>
#include <stile/drivers/worker.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{1'800'000'000s};

struct Folder {
    Folder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "stile-store-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::string file(const std::string& name) const { return path + "/" + name; }
    std::string path;
};

template <class Store>
Store open(const std::string& path) {
    auto store = Store::open(path);
    REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().text));
    return *std::move(store);
}

std::string read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write_file(const std::string& path, std::string_view text) {
    std::ofstream{path, std::ios::binary} << text;
}

StoredBinding binding(const std::string& contact) {
    return {.user = "alice",
            .key = contact,
            .contact = '<' + contact + ">;audio;+sip.instance=\"<urn:uuid:1>\"",
            .path = "<sip:edge.example.org;lr>",
            .call_id = "call",
            .cseq = 7,
            .expires = now + 1h};
}

TEST_CASE("server store: what was written is there after it was closed") {
    const Folder folder;
    const std::string path = folder.file("deep/er/server.db");
    const Account alice{.user = "alice",
                        .domain = "example.org",
                        .account_class = AccountClass::Compatible,
                        .ha1_md5 = "0123"};
    {
        ServerStore store = open<ServerStore>(path);
        CHECK(store.add_account(alice).has_value());
        CHECK(store.put_binding(binding("sip:alice@192.0.2.1")).has_value());
        CHECK(store.put_setting("nonce key", as_bytes("secret")).has_value());
        CHECK(store.put_certificate("alice", "example.org", "PEM", now + 24h).has_value());
    }
    ServerStore store = open<ServerStore>(path);
    CHECK(store.find_account("alice", "EXAMPLE.org").value() == alice);
    CHECK(store.bindings("alice", now).value() == std::vector{binding("sip:alice@192.0.2.1")});
    CHECK(store.find_setting("nonce key").value() == to_bytes("secret"));
    CHECK(store.find_certificate("alice", "example.org").value() == "PEM");
    CHECK_FALSE(store.find_setting("other").value());
    CHECK_FALSE(store.find_account("bob", "example.org").value());
}

TEST_CASE("store: files are the owner's alone, directories too") {
    const Folder folder;
    const std::string path = folder.file("deep/server.db");
    const mode_t before = ::umask(0);
    ServerStore store = open<ServerStore>(path);
    ::umask(before);
    struct stat status{};
    for (const std::string& file : {path, path + "-wal", path + "-shm"}) {
        CAPTURE(file);
        REQUIRE(::stat(file.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
    }
    REQUIRE(::stat(folder.file("deep").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("server store: accounts are added once, changed, listed and removed") {
    ServerStore store = open<ServerStore>(":memory:");
    Account alice{.user = "alice", .domain = "example.org", .ha1_sha256 = "1"};
    CHECK(store.add_account(alice).has_value());
    const auto twice = store.add_account(alice);
    REQUIRE_FALSE(twice.has_value());
    CHECK(twice.error().failure == StoreFailure::Conflict);
    CHECK(twice.error().text.contains("alice@example.org"));
    alice.state = AccountState::Disabled;
    CHECK(store.update_account(alice).has_value());
    CHECK(store.add_account({.user = "Alice", .domain = "example.org"}).has_value());
    CHECK(store.add_account({.user = "carol", .domain = "example.com"}).has_value());
    const auto listed = store.accounts("example.org").value();
    REQUIRE(listed.size() == 2);
    CHECK(listed[1] == alice);
    CHECK(store.remove_account("alice", "example.org").value());
    CHECK_FALSE(store.remove_account("alice", "example.org").value());
}

TEST_CASE("server store: with an account goes everything that its name could still open") {
    ServerStore store = open<ServerStore>(":memory:");
    REQUIRE(store.add_account({.user = "alice", .domain = "example.org"}).has_value());
    REQUIRE(
        store.add_login_token(as_bytes("secret"), "alice", "example.org", now + 1h).has_value());
    REQUIRE(store.put_certificate("alice", "example.org", "PEM", now + 1h).has_value());
    REQUIRE(store.put_binding(binding("sip:alice@192.0.2.1")).has_value());
    REQUIRE(store.remove_account("alice", "example.org").value());
    CHECK_FALSE(store.take_login_token(as_bytes("secret"), now).value());
    CHECK_FALSE(store.find_certificate("alice", "example.org").value());
    CHECK(store.bindings("alice", now).value().empty());
}

TEST_CASE("server store: a login token is good once and until it expires, and is not kept itself") {
    const Folder folder;
    const std::string path = folder.file("server.db");
    ServerStore store = open<ServerStore>(path);
    const Bytes token = to_bytes("a-very-secret-login-token");
    REQUIRE(store.add_login_token(token, "alice", "example.org", now + 10min).has_value());
    CHECK_FALSE(store.take_login_token(as_bytes("another"), now).value());
    const auto owner = store.take_login_token(token, now).value();
    REQUIRE(owner.has_value());
    CHECK(owner->user == "alice");
    CHECK_FALSE(store.take_login_token(token, now).value());
    REQUIRE(store.add_login_token(token, "alice", "example.org", now).has_value());
    CHECK_FALSE(store.take_login_token(token, now).value());
    CHECK_FALSE(read_file(path).contains("very-secret"));
    CHECK_FALSE(read_file(path + "-wal").contains("very-secret"));
}

TEST_CASE("server store: user and key name a binding, and a later one replaces it") {
    ServerStore store = open<ServerStore>(":memory:");
    REQUIRE(store.put_binding(binding("sip:alice@192.0.2.1")).has_value());
    StoredBinding later = binding("sip:alice@192.0.2.1");
    later.cseq = 8;
    REQUIRE(store.put_binding(later).has_value());
    StoredBinding other_key = binding("sip:alice@203.0.113.1");
    REQUIRE(store.put_binding(other_key).has_value());
    StoredBinding other_user = binding("sip:alice@192.0.2.1");
    other_user.user = "bob";
    REQUIRE(store.put_binding(other_user).has_value());
    CHECK(store.bindings("alice", now).value() == std::vector{later, other_key});
    REQUIRE(store.remove_binding(other_key).has_value());
    CHECK(store.all_bindings(now).value().size() == 2);
    CHECK(store.all_bindings(now + 1h).value().empty());
    CHECK(store.remove_expired(now + 1h).value() == 2);
}

TEST_CASE("server store: a batch of changes is one commit") {
    ServerStore store = open<ServerStore>(":memory:");
    using Kind = ServerStore::BindingChange::Kind;
    StoredBinding other = binding("sip:alice@192.0.2.2");
    REQUIRE(store
                .apply({{Kind::Put, binding("sip:alice@192.0.2.1")},
                        {Kind::Put, other},
                        {Kind::Remove, binding("sip:alice@192.0.2.1")}})
                .has_value());
    CHECK(store.all_bindings(now).value() == std::vector{other});
}

TEST_CASE("server store: what was answered for survives kill -9") {
    const Folder folder;
    const std::string path = folder.file("server.db");
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = ServerStore::open(path);
        char verdict = 'n';
        if (store && store->put_binding(binding("sip:alice@192.0.2.1"))) verdict = 'y';
        if (::write(ready[1], &verdict, 1) != 1) ::_exit(1);
        ::pause();
        ::_exit(0);
    }
    char verdict = '?';
    REQUIRE(::read(ready[0], &verdict, 1) == 1);
    CHECK(verdict == 'y');
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    CHECK(open<ServerStore>(path).all_bindings(now).value().size() == 1);
}

TEST_CASE("store: a file that is no database is named, kept and explained") {
    const Folder folder;
    const std::string path = folder.file("server.db");
    const std::string garbage(5000, 'x');
    write_file(path, garbage);
    const auto store = ServerStore::open(path);
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().failure == StoreFailure::Damaged);
    CHECK(store.error().text.contains(path));
    CHECK(store.error().text.contains("has not been changed"));
    CHECK(read_file(path) == garbage);
}

TEST_CASE("store: a database that is broken inside is named, kept and explained") {
    const Folder folder;
    const std::string path = folder.file("server.db");
    {
        ServerStore store = open<ServerStore>(path);
        std::vector<ServerStore::BindingChange> many;
        for (std::uint32_t i = 1; i <= 500; ++i) {
            StoredBinding one = binding("sip:alice@192.0.2.1");
            one.key += std::to_string(i);
            many.push_back({ServerStore::BindingChange::Kind::Put, one});
        }
        REQUIRE(store.apply(many).has_value());
    }
    std::string damaged = read_file(path);
    REQUIRE(damaged.size() > 40'000);
    for (std::size_t i = 12'000; i < 30'000; ++i) damaged[i] = '\xAA';
    write_file(path, damaged);
    const auto store = ServerStore::open(path);
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().failure == StoreFailure::Damaged);
    CHECK(read_file(path) == damaged);

    const std::string cut = damaged.substr(0, 10'000);
    write_file(path, cut);
    CHECK(ServerStore::open(path).error().failure == StoreFailure::Damaged);
    CHECK(read_file(path) == cut);
}

TEST_CASE("store: another program's database and a newer release's are refused, and kept") {
    const Folder folder;
    const std::string path = folder.file("peer.db");
    {
        const PeerStore store = open<PeerStore>(path);
    }
    const auto other = ServerStore::open(path);
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().failure == StoreFailure::OtherSchema);

    const std::string newer = folder.file("newer.db");
    REQUIRE(Database::open(newer, 0x53544C53, 99, "CREATE TABLE future(x)").has_value());
    const auto refused = ServerStore::open(newer);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().failure == StoreFailure::OtherSchema);
    CHECK(refused.error().text.contains("newer"));
}

TEST_CASE("store: a place that cannot be written is named") {
    const Folder folder;
    write_file(folder.file("plain"), "a file, not a directory");
    const auto store = ServerStore::open(folder.file("plain/server.db"));
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().failure == StoreFailure::CannotOpen);
    CHECK(store.error().text.contains("plain"));
}

TEST_CASE("peer store: account and pins stay, pins keep their first meeting") {
    const Folder folder;
    const std::string path = folder.file("peer.db");
    const PeerAccount alice{.address = "alice@example.org",
                            .registrar = "sips:example.org",
                            .key_pem = "KEY",
                            .certificate_pem = "CERTIFICATE",
                            .password = "",
                            .settings = "{}"};
    Pin bob{.address = "bob@example.com",
            .thumbprint = Bytes(32, std::byte{7}),
            .first_seen = now,
            .last_seen = now};
    {
        PeerStore store = open<PeerStore>(path);
        REQUIRE(store.put_account(alice).has_value());
        REQUIRE(store.put_pin(bob).has_value());
        bob.verified = Pin::Verified::ByCode;
        bob.last_seen = now + 1h;
        REQUIRE(store.put_pin(bob).has_value());
    }
    PeerStore store = open<PeerStore>(path);
    CHECK(store.find_account("alice@example.org").value() == alice);
    CHECK(store.accounts().value() == std::vector{alice});
    CHECK(store.find_pin("bob@example.com").value() == bob);
    CHECK(store.pins().value().size() == 1);
    CHECK(store.remove_pin("bob@example.com").value());
    CHECK_FALSE(store.find_pin("bob@example.com").value());
    CHECK(store.remove_account("alice@example.org").value());
    CHECK(store.accounts().value().empty());
}

TEST_CASE("server store: works on the worker's thread") {
    Loop loop;
    ServerStore store = open<ServerStore>(":memory:");
    Worker worker{loop};
    std::optional<StoreResult<void>> written;
    REQUIRE(worker.compute([&] { return store.put_binding(binding("sip:alice@192.0.2.1")); },
                           [&](StoreResult<void> result) { written = std::move(result); }) ==
            Submitted::Queued);
    REQUIRE(loop.run_until([&] { return written.has_value(); }, 10s) == Loop::Outcome::Done);
    CHECK(written->has_value());
}

}  // namespace
}  // namespace stile::drivers
