// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "attachment.hpp"

#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace stile::drivers::kernel {

namespace {

// From linux/bpf.h and linux/netdev.h of newer kernels than Debian 12's.
constexpr std::uint32_t attach_type_tcx_ingress = 46;
constexpr std::uint64_t feature_transmits_xdp = 4;  // NETDEV_XDP_ACT_NDO_XMIT
// Our place among TC filters of the old kind: late, so that those of others come first.
constexpr std::uint32_t tc_priority = 49'000;
constexpr std::uint32_t tc_handle = 0x5717;

using Result = std::expected<FileDescriptor, std::string>;

std::string reason(int code) { return std::strerror(code); }

// A frame of a VLAN may reach an XDP program without its tag: it would be taken for one of this
// interface.
bool has_vlans(const std::vector<Link>& links, const Link& link) {
    for (const auto& other : links) {
        if (other.kind == "vlan" && other.parent == link.index) return true;
    }
    return false;
}

std::optional<std::string> objection_to_xdp(Netlink& netlink, const std::vector<Link>& links,
                                            const Link& link, KernelMode mode) {
    if (link.xdp_program != 0) {
        return "another XDP program is there (id " + std::to_string(link.xdp_program) + ")";
    }
    if (has_vlans(links, link)) return "it carries VLANs";
    if (mode == KernelMode::XdpGeneric || link.type == ARPHRD_LOOPBACK) return std::nullopt;
    const auto features = netlink.xdp_features(link.index);
    if (!features && link.kind == "veth") return "this kernel does not tell whether it transmits";
    if (features && *features != 0 && (*features & feature_transmits_xdp) == 0) {
        return link.kind == "veth" ? "its other end has neither GRO nor an XDP program"
                                   : "its driver does not transmit from XDP";
    }
    return std::nullopt;
}

Result attach_xdp(const Programs& programs, Netlink& netlink, const std::vector<Link>& links,
                  const Link& link, KernelMode mode) {
    if (auto objection = objection_to_xdp(netlink, links, link, mode)) {
        return std::unexpected(*objection);
    }
    LIBBPF_OPTS(bpf_link_create_opts, options,
                .flags = mode == KernelMode::XdpNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    const int program = mode == KernelMode::XdpNative && link.kind == "veth"
                            ? programs.veth_program()
                            : programs.program(mode);
    const int handle = bpf_link_create(program, link.index, BPF_XDP, &options);
    if (handle >= 0) return FileDescriptor{handle};
    if (handle == -EOPNOTSUPP) return std::unexpected("not supported by its driver");
    return std::unexpected(reason(-handle));
}

// A link of the kind that goes with the process; libbpf 1.1 does not know it.
int create_tcx_link(int program, int interface) {
    bpf_attr attributes{};
    attributes.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attributes.link_create.target_ifindex = static_cast<std::uint32_t>(interface);
    attributes.link_create.attach_type = attach_type_tcx_ingress;
    return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof attributes));
}

bpf_tc_hook tc_hook(int interface) {
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = interface;
    hook.attach_point = BPF_TC_INGRESS;
    return hook;
}

bool is_ours(const bpf_tc_hook& hook) {
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = tc_handle, .priority = tc_priority);
    if (bpf_tc_query(&hook, &options) != 0) return false;
    const FileDescriptor program{bpf_prog_get_fd_by_id(options.prog_id)};
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return false;
    return std::string_view{info.name} == "stile_tc";
}

Result attach_tc(const Programs& programs, const Link& link) {
    const int handle = create_tcx_link(programs.program(KernelMode::Tc), link.index);
    if (handle >= 0) return FileDescriptor{handle};
    if (auto refused = attach_tc_filter(programs, link)) return std::unexpected(*refused);
    return FileDescriptor{};
}

}  // namespace

std::string to_text(KernelMode mode) {
    switch (mode) {
        case KernelMode::XdpNative:
            return "XDP native";
        case KernelMode::Tc:
            return "TC";
        case KernelMode::XdpGeneric:
            return "XDP generic";
    }
    return {};
}

void detach_tc_filter(int interface) {
    const auto hook = tc_hook(interface);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = tc_handle, .priority = tc_priority);
    if (is_ours(hook)) bpf_tc_detach(&hook, &options);
}

std::optional<std::string> attach_tc_filter(const Programs& programs, const Link& link) {
    auto hook = tc_hook(link.index);
    const int created = bpf_tc_hook_create(&hook);
    if (created != 0 && created != -EEXIST) return reason(-created);
    // One of a process that was killed.
    detach_tc_filter(link.index);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = programs.program(KernelMode::Tc),
                .handle = tc_handle, .priority = tc_priority);
    if (const int attached = bpf_tc_attach(&hook, &options); attached != 0) {
        return reason(-attached);
    }
    return std::nullopt;
}

std::expected<Attachment, std::string> Attachment::attach(const Programs& programs,
                                                          Netlink& netlink,
                                                          const std::vector<Link>& links,
                                                          const Link& link,
                                                          std::optional<KernelMode> wanted) {
    if (link.type != ARPHRD_ETHER && link.type != ARPHRD_LOOPBACK) {
        return std::unexpected("it is not Ethernet");
    }
    std::string refused;
    for (const auto mode : {KernelMode::XdpNative, KernelMode::Tc, KernelMode::XdpGeneric}) {
        if (wanted && *wanted != mode) continue;
        auto result = programs.program(mode) < 0 ? Result{std::unexpected("the kernel is too old")}
                      : mode == KernelMode::Tc   ? attach_tc(programs, link)
                                                 : attach_xdp(programs, netlink, links, link, mode);
        if (result) {
            Attachment attachment{link, mode, *std::move(result)};
            attachment.refused_ = refused;
            return attachment;
        }
        if (!refused.empty()) refused += "; ";
        refused += to_text(mode) + ": " + result.error();
    }
    return std::unexpected(refused);
}

Attachment::Attachment(Attachment&& other) noexcept
    : name_(std::move(other.name_)),
      interface_(std::exchange(other.interface_, 0)),
      mode_(other.mode_),
      handle_(std::move(other.handle_)),
      refused_(std::move(other.refused_)) {}

Attachment::~Attachment() {
    if (interface_ != 0 && !handle_.valid()) detach_tc_filter(interface_);
}

}  // namespace stile::drivers::kernel
