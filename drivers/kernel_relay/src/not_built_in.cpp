// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/kernel_relay.hpp>

// What stands in for the driver where clang or libbpf was missing at build time.
#ifndef STILE_KERNEL_RELAY

namespace stile::drivers {

struct KernelRelay::Impl {};

KernelRelay::KernelRelay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelRelay::~KernelRelay() = default;

std::expected<std::unique_ptr<KernelRelay>, KernelRelayError> KernelRelay::open(
    const KernelRelayOptions& /*options*/) {
    return std::unexpected(KernelRelayError{"not built in: " STILE_KERNEL_RELAY_LACKS});
}

// There is no object on which these could be called.
std::string KernelRelay::describe() const { return {}; }
std::vector<KernelRelay::Attached> KernelRelay::attached() const { return {}; }
void KernelRelay::detach() {}
std::expected<void, KernelRelayError> KernelRelay::attach() { return {}; }
KernelRelay::Installed KernelRelay::install(const Channel& /*channel*/) {
    return Installed::Refused;
}
void KernelRelay::remove(const Key& /*key*/) {}
void KernelRelay::add_relay(const SocketAddress& /*relayed*/) {}
void KernelRelay::remove_relay(const SocketAddress& /*relayed*/) {}
void KernelRelay::limit(std::uint32_t /*owner*/, const OwnerLimit& /*limit*/) {}
void KernelRelay::bindings(const SocketAddress& /*server*/, Bindings /*what*/) {}
void KernelRelay::tend() {}
std::vector<KernelRelay::ChannelTraffic> KernelRelay::take_traffic() { return {}; }
KernelRelay::Statistics KernelRelay::statistics() const { return {}; }

}  // namespace stile::drivers

#endif
