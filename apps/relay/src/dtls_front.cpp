// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "dtls_front.hpp"

namespace stile::relay {

DtlsFront::DtlsFront(drivers::Loop& loop, const drivers::TlsContext& context, Handlers handlers)
    : handlers_(std::move(handlers)),
      server_(loop, context, {},
              {.on_output =
                   [this](const Path& path, BytesView datagram) {
                       const auto own = sockets_.find(flow_of(path));
                       handlers_.on_output(
                           own == sockets_.end() ? std::nullopt : std::optional{own->second}, path,
                           datagram);
                   },
               .on_opened =
                   [this](drivers::DtlsSessionId session, const Path& path) {
                       // A client that begins again has a new session at its old address.
                       const auto known = sessions_.find(flow_of(path));
                       if (known != sessions_.end()) flows_.erase(known->second);
                       sessions_[flow_of(path)] = session;
                       flows_[session] = flow_of(path);
                   },
               .on_data =
                   [this](drivers::DtlsSessionId session, MutableBytes message) {
                       const auto flow = flows_.find(session);
                       if (flow == flows_.end()) return;
                       const turn::ClientFlow copy = flow->second;
                       handlers_.on_message(copy, message);
                   },
               .on_closed =
                   [this](drivers::DtlsSessionId session, drivers::Closed) {
                       const auto flow = flows_.extract(session);
                       if (!flow) return;
                       sessions_.erase(flow.mapped());
                       handlers_.on_gone(flow.mapped());
                   }}) {}

std::vector<turn::ClientFlow> DtlsFront::flows() const {
    std::vector<turn::ClientFlow> all;
    for (const auto& [flow, session] : sessions_) all.push_back(flow);
    return all;
}

void DtlsFront::close(const turn::ClientFlow& flow) {
    const auto session = sessions_.extract(flow);
    if (!session) return;
    flows_.erase(session.mapped());
    server_.close(session.mapped());
}

void DtlsFront::send(const turn::ClientFlow& flow, BytesView message, BytesView prefix,
                     std::size_t padding) {
    const auto session = sessions_.find(flow);
    if (session == sessions_.end()) return;
    if (padding == 0) {
        (void)server_.send(session->second, message, prefix);
        return;
    }
    padded_.assign(message.begin(), message.end());
    padded_.resize(padded_.size() + padding);
    (void)server_.send(session->second, padded_, prefix);
}

}  // namespace stile::relay
