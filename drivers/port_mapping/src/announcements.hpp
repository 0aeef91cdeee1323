// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/ip_address.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>

#include <functional>
#include <memory>

namespace stile::drivers {

// Listens at 224.0.0.1:5350 or ff02::1, where gateways say that they have restarted or that their
// address has changed. RFC 6886 Section 3.2.1, RFC 6887 Section 14.1. The port is shared with other
// programs.
class AnnouncementListener {
public:
    using OnAnnouncement =
        std::function<void(const IpAddress& source, unsigned interface_index, BytesView)>;

    // Empty where the port cannot be had: news come with the next renewal then.
    static std::unique_ptr<AnnouncementListener> open(Loop& loop, AddressFamily family,
                                                      OnAnnouncement on_announcement);

private:
    AnnouncementListener(Loop& loop, FileDescriptor fd, OnAnnouncement on_announcement);
    void receive();

    FileDescriptor fd_;
    OnAnnouncement on_announcement_;
    Watch watch_;
};

}  // namespace stile::drivers
