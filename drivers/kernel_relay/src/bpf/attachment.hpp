// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netlink.hpp"
#include "programs.hpp"

namespace stile::drivers::kernel {

// One program on one interface; taken off when this goes, and by the kernel when the process ends.
// Before Linux 6.6 a TC program stays then: it leaves everything to user space once its lease is
// over, and the next attachment removes it.
class Attachment {
public:
    // The first of the modes that works (all, or the wanted one); the error says why none did.
    static std::expected<Attachment, std::string> attach(const Programs& programs, Netlink& netlink,
                                                         const std::vector<Link>& links,
                                                         const Link& link,
                                                         std::optional<KernelMode> wanted);
    Attachment(Attachment&& other) noexcept;
    Attachment& operator=(Attachment&&) = delete;
    ~Attachment();

    const std::string& name() const { return name_; }
    int interface() const { return interface_; }
    KernelMode mode() const { return mode_; }
    // Why the modes before this one did not work; may be empty.
    const std::string& refused() const { return refused_; }

private:
    Attachment(const Link& link, KernelMode mode, FileDescriptor handle)
        : name_(link.name), interface_(link.index), mode_(mode), handle_(std::move(handle)) {}

    std::string name_;
    int interface_ = 0;
    KernelMode mode_ = KernelMode::Tc;
    FileDescriptor handle_;  // the kernel's link; none for a TC filter of the old kind
    std::string refused_;
};

std::string to_text(KernelMode mode);

// The old kind of TC filter, which stays when its process ends. Says why it was refused.
std::optional<std::string> attach_tc_filter(const Programs& programs, const Link& link);
void detach_tc_filter(int interface);

}  // namespace stile::drivers::kernel
