// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/location.hpp>

#include <stile/base/assert.hpp>

#include <utility>

namespace stile::sip_server {

std::string binding_key(const sip::ContactView& contact,
                        const std::optional<std::uint32_t>& reg_id) {
    if (reg_id) {
        if (const auto instance = contact.instance()) {
            return "i:" + *instance + ";" + std::to_string(*reg_id);
        }
    }
    return "u:" + contact.uri().to_string();
}

std::vector<const Binding*> LocationTable::find(std::string_view user, Instant now) const {
    std::vector<const Binding*> found;
    const auto bindings = users_.find(user);
    if (bindings == users_.end()) return found;
    for (const auto& [key, entry] : bindings->second) {
        if (entry.binding.expires_at > now) found.push_back(&entry.binding);
    }
    return found;
}

const Binding* LocationTable::find(std::string_view user, std::string_view key) const {
    const auto bindings = users_.find(user);
    if (bindings == users_.end()) return nullptr;
    const auto found = bindings->second.find(key);
    return found == bindings->second.end() ? nullptr : &found->second.binding;
}

std::size_t LocationTable::count(std::string_view user) const {
    const auto bindings = users_.find(user);
    return bindings == users_.end() ? 0 : bindings->second.size();
}

bool LocationTable::put(std::string_view user, Binding binding) {
    if (!find(user, binding.key) && size_ >= most_) return false;
    remove(user, binding.key);
    binding.order = ++last_order_;
    std::string name{user};
    std::string key = binding.key;
    if (binding.flow) flows_.emplace(*binding.flow, name, key);
    const Instant expiry = binding.expires_at;
    Entry& entry = users_[name][key];
    entry.binding = std::move(binding);
    deadlines_.update({std::move(name), std::move(key)}, entry.queued, expiry);
    ++size_;
    return true;
}

void LocationTable::remove(std::string_view user, std::string_view key) {
    const auto bindings = users_.find(user);
    if (bindings == users_.end()) return;
    const auto found = bindings->second.find(key);
    if (found == bindings->second.end()) return;
    Entry& entry = found->second;
    const std::string name{user};
    if (entry.binding.flow) flows_.erase({*entry.binding.flow, name, entry.binding.key});
    deadlines_.update({name, entry.binding.key}, entry.queued, std::nullopt);
    bindings->second.erase(found);
    if (bindings->second.empty()) users_.erase(bindings);
    --size_;
}

std::vector<BindingRemoved> LocationTable::close_flow(sip::FlowId flow) {
    std::vector<BindingRemoved> removed;
    for (;;) {
        const auto next = flows_.lower_bound({flow, "", ""});
        if (next == flows_.end() || std::get<0>(*next) != flow) return removed;
        const std::string user = std::get<1>(*next);
        const std::string key = std::get<2>(*next);
        flows_.erase(next);
        Binding& binding = users_.find(user)->second.find(key)->second.binding;
        binding.flow.reset();
        if (!binding.reg_id) continue;
        remove(user, key);
        removed.push_back({.user = user, .key = key});
    }
}

std::vector<BindingRemoved> LocationTable::expire(Instant now) {
    std::vector<BindingRemoved> removed;
    while (const auto id = deadlines_.expired(now)) {
        remove(id->first, id->second);
        removed.push_back({.user = id->first, .key = id->second});
    }
    return removed;
}

}  // namespace stile::sip_server
