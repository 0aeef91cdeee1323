// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "event_log.hpp"
#include "gateway.hpp"

#include <fmt/format.h>
#include <csignal>

namespace stile::peer {

int gateway(const GatewayOptions& options) {
    if (!options.listen.ip.is_loopback()) {
        return app::fail({app::ExitCode::Usage, "The gateway listens on loopback addresses only",
                          "whoever reaches it acts as you", options.listen.to_string(),
                          "name 127.0.0.1 or [::1]"});
    }
    auto store = open_store();
    if (!store) return app::fail(store.error());
    auto account = load_account(*store, options.common.account);
    if (!account) return app::fail(account.error());
    auto log = open_log(options.common);
    if (!log) return app::fail(log.error());

    drivers::Loop loop;
    int result = 0;
    Node node{loop,
              *store,
              *std::move(account),
              session::Purpose::Ask,
              {.on_trouble = [](const app::Problem& problem) { app::fail(problem); },
               .on_refused =
                   [&](const app::Problem& problem) {
                       result = app::fail(problem);
                       loop.stop();
                   }},
              options.udp_port};
    Gateway gateway{loop, node};
    const auto listening = gateway.listen(options.listen);
    if (!listening) {
        return app::fail({app::ExitCode::Local, "The gateway cannot listen", listening.error().text,
                          "",
                          "another gateway may be running; or choose another port with --listen"});
    }
    drivers::Signals signals{
        loop, {SIGINT, SIGTERM}, [&](int) { node.stop([&] { loop.stop(); }); }};
    fmt::print(
        "Gateway   of {}\nBrowsers  http://alice.example.org.localhost:{}/\nReady     "
        "http://{}/\n",
        node.account().address, listening->port.value, listening->to_string());
    std::fflush(stdout);
    if (*log) node.keep_log(**log);
    node.start();
    loop.run();
    return result;
}

}  // namespace stile::peer
