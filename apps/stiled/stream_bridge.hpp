// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace stile::stiled {

// Carries streams that live on the loops of other threads (the relay's shards) to this one: each
// through a pair of local sockets. Thread-safe.
class StreamBridges {
public:
    StreamBridges() = default;
    StreamBridges(const StreamBridges&) = delete;
    StreamBridges& operator=(const StreamBridges&) = delete;
    ~StreamBridges();

    // On the thread of `loop`. `first` was received already. The socket is the stream's other end;
    // none where the system has no more.
    drivers::FileDescriptor carry(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
                                  Bytes first);
    // Ends all; the loops must still run. Afterwards carry() refuses.
    void close();

    struct Bridge;

private:
    void remove(drivers::Loop& loop, const std::shared_ptr<Bridge>& bridge);

    std::mutex mutex_;
    std::map<drivers::Loop*, std::set<std::shared_ptr<Bridge>>> bridges_;
    bool closed_ = false;
};

}  // namespace stile::stiled
