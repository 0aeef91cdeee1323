// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "stream_bridge.hpp"

#include <stile/drivers/tcp.hpp>

#include <sys/socket.h>
#include <array>
#include <future>
#include <vector>

namespace stile::stiled {

// Two streams of one loop, each of which gets what the other has.
struct StreamBridges::Bridge {
    std::unique_ptr<drivers::Stream> outside;
    std::unique_ptr<drivers::Stream> inside;
};

StreamBridges::~StreamBridges() = default;

drivers::FileDescriptor StreamBridges::carry(drivers::Loop& loop,
                                             std::unique_ptr<drivers::Stream> stream, Bytes first) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return {};
    }
    drivers::FileDescriptor ours{ends[0]};
    drivers::FileDescriptor theirs{ends[1]};
    auto bridge = std::make_shared<Bridge>();
    {
        const std::scoped_lock lock{mutex_};
        if (closed_) return {};
        bridges_[&loop].insert(bridge);
    }
    bridge->outside = std::move(stream);
    bridge->inside = drivers::TcpStream::adopt(loop, std::move(ours));
    const std::weak_ptr<Bridge> weak = bridge;
    const auto join = [this, &loop, weak](bool from_outside) {
        const auto ends_of = [from_outside](Bridge& both) {
            return from_outside ? std::pair{both.outside.get(), both.inside.get()}
                                : std::pair{both.inside.get(), both.outside.get()};
        };
        return drivers::StreamHandlers{
            .on_open = {},
            .on_bytes =
                [weak, ends_of](BytesView bytes) {
                    const auto self = weak.lock();
                    if (!self) return;
                    const auto [from, to] = ends_of(*self);
                    // HTTP of this server never fills it; a peer that makes it so is closed.
                    if (to->write(bytes) == drivers::Written::Full) return from->close();
                    if (to->buffered() > drivers::low_water_octets) {
                        from->set_reading(drivers::Reading::Paused);
                    }
                },
            .on_end =
                [weak, ends_of] {
                    if (const auto self = weak.lock()) ends_of(*self).second->finish();
                },
            .on_writable =
                [weak, ends_of] {
                    const auto self = weak.lock();
                    if (self) ends_of(*self).second->set_reading(drivers::Reading::Flowing);
                },
            .on_closed =
                [this, &loop, weak, ends_of](const drivers::Closed&) {
                    const auto self = weak.lock();
                    if (!self) return;
                    ends_of(*self).second->close();
                    remove(loop, self);
                },
        };
    };
    bridge->outside->set_handlers(join(true));
    bridge->inside->set_handlers(join(false));
    if (!first.empty()) (void)bridge->inside->write(first);
    return theirs;
}

// The streams go when no callback of theirs runs. What the other side still has to send leaves
// first, or its peer has gone, too.
void StreamBridges::remove(drivers::Loop& loop, const std::shared_ptr<Bridge>& bridge) {
    const std::scoped_lock lock{mutex_};
    const auto found = bridges_.find(&loop);
    if (found == bridges_.end() || found->second.erase(bridge) == 0) return;
    loop.post([bridge] {});
}

void StreamBridges::close() {
    std::vector<drivers::Loop*> loops;
    {
        const std::scoped_lock lock{mutex_};
        closed_ = true;
        for (const auto& [loop, bridges] : bridges_) loops.push_back(loop);
    }
    for (drivers::Loop* const loop : loops) {
        std::promise<void> done;
        loop->post([this, loop, &done] {
            std::set<std::shared_ptr<Bridge>> ended;
            {
                const std::scoped_lock lock{mutex_};
                ended.swap(bridges_[loop]);
            }
            ended.clear();
            done.set_value();
        });
        done.get_future().wait();
    }
}

}  // namespace stile::stiled
