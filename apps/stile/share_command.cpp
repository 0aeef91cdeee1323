// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "describe.hpp"
#include "event_log.hpp"
#include "file_server.hpp"
#include "node.hpp"

#include <fmt/format.h>
#include <csignal>

namespace stile::peer {
namespace {

std::string title_of(const ShareOptions& options) {
    if (!options.title.empty()) return options.title;
    std::string name = options.folder;
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    name = name.substr(name.rfind('/') + 1);
    return name.empty() || name == "." ? "Shared folder" : name;
}

app::Problem unusable_folder(const std::string& why) {
    return {app::ExitCode::Local, "This folder cannot be shared", why, "",
            "name a folder that is there and that you may read"};
}

void announce(const ShareOptions& options, const std::string& address) {
    fmt::print(
        "Sharing   {}\nAs        {}\nGet it    stile get {}/feed.xml\n"
        "Ready     {}/\n",
        options.folder, address, address, address);
    std::fflush(stdout);
}

void announce_again() {
    fmt::print("Registered again: others reach this share\n");
    std::fflush(stdout);
}

void log_peer(const Link& link, const Meeting& meeting) {
    fmt::print("{}  {}\n", app::printable(link.peer()), describe(meeting.standing));
    std::fflush(stdout);
}

void log_request(const Link& link, const quic::RequestHead& head) {
    fmt::print("{}  {} {}  {}\n", app::printable(link.peer()), app::printable(head.method),
               app::printable(head.path), link.route() ? describe(*link.route()) : "");
    std::fflush(stdout);
}

}  // namespace

int share(const ShareOptions& options) {
    auto store = open_store();
    if (!store) return app::fail(store.error());
    auto account = load_account(*store, options.common.account);
    if (!account) return app::fail(account.error());
    auto log = open_log(options.common);
    if (!log) return app::fail(log.error());
    auto folder = SharedFolder::open(options.folder);
    if (!folder) return app::fail(unusable_folder(folder.error()));

    drivers::Loop loop;
    FileServer files{loop, *std::move(folder), title_of(options), account->address};
    int result = 0;
    bool announced = false;
    bool in_trouble = false;
    const std::string address = account->address;
    Node node{
        loop,
        *store,
        *std::move(account),
        session::Purpose::Serve,
        {
            .on_registered =
                [&] {
                    if (std::exchange(in_trouble, false) && announced) announce_again();
                    if (std::exchange(announced, true)) return;
                    announce(options, address);
                },
            .on_trouble =
                [&](const app::Problem& problem) {
                    const int code = app::fail(problem);
                    in_trouble = true;
                    // A server that is not ours at the start will not be later; one in between
                    // (a network that wants a login first) goes away again.
                    if (announced || problem.code != app::ExitCode::NotAuthorised) return;
                    result = code;
                    loop.stop();
                },
            .on_refused =
                [&](const app::Problem& problem) {
                    result = app::fail(problem);
                    loop.stop();
                },
            .on_peer = [](Link& link, const Meeting& meeting) { log_peer(link, meeting); },
            .on_request =
                [&](Link& link, quic::StreamId stream, const quic::RequestHead& head) {
                    log_request(link, head);
                    files.handle_request(link, stream, head);
                },
            .on_body_writable = [&](Link& link,
                                    quic::StreamId stream) { files.handle_writable(link, stream); },
            .on_stream_closed =
                [&](Link& link, quic::StreamId stream) {
                    files.handle_stream_closed(link, stream);
                },
            .on_link_closed = [&](Link& link) { files.handle_link_closed(link); },
        },
        options.udp_port};
    drivers::Signals signals{
        loop, {SIGINT, SIGTERM}, [&](int) { node.stop([&] { loop.stop(); }); }};
    if (*log) node.keep_log(**log);
    node.start();
    loop.run();
    return result;
}

}  // namespace stile::peer
