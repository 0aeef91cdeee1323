// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/server_selection.hpp>

#include <algorithm>

namespace stile::drivers {

std::vector<SrvRecord> order_srv(std::vector<SrvRecord> records,
                                 std::move_only_function<std::uint64_t(std::uint64_t)> draw) {
    // Weight 0 stands first within its priority, so that it is drawn only by a draw of 0.
    std::ranges::stable_sort(records, [](const SrvRecord& left, const SrvRecord& right) {
        if (left.priority != right.priority) return left.priority < right.priority;
        return left.weight == 0 && right.weight != 0;
    });
    for (auto next = records.begin(); next != records.end(); ++next) {
        const auto same_end = std::find_if(next, records.end(), [&](const SrvRecord& record) {
            return record.priority != next->priority;
        });
        std::uint64_t total = 0;
        for (auto record = next; record != same_end; ++record) total += record->weight;
        const std::uint64_t drawn = draw(total);
        std::uint64_t running = 0;
        auto chosen = next;
        for (; chosen != same_end; ++chosen) {
            running += chosen->weight;
            if (running >= drawn) break;
        }
        if (chosen == same_end) --chosen;
        std::rotate(next, chosen, chosen + 1);  // the others keep their order
    }
    return records;
}

}  // namespace stile::drivers
