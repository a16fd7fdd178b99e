#include "infer/model_table.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/never_destroyed.h"
#include "infer/allocator.h"
#include "memory/signals/statm.h"

namespace spillway {
namespace {

int64_t ResidentBytes() {
  ReadBuffer buffer;
  return Resident("/proc").Own(buffer);
}

}  // namespace

GraphSession::GraphSession(std::unique_ptr<InferSession> session, std::shared_ptr<SharedWeights> shared,
                           std::string device, int64_t unseen)
    : device_(std::move(device)), shared_(std::move(shared)), session_(std::move(session)), unseen_(unseen) {
  if (shared_) shared_->Join(this);
}

Status GraphSession::Make(std::unique_ptr<InferSession> session, std::shared_ptr<SharedWeights> shared,
                          const LoadPlan& plan, std::unique_ptr<GraphSession>* out) {
  const int64_t unseen = std::max<int64_t>(0, plan.weight_bytes - session->bytes()) + plan.structure_bytes;
  if (!Ledger::Global().Charge(ModelsAccount(), unseen))
    return RefusedStatus("loading the graph", ModelsAccount(), unseen);
  out->reset(new GraphSession(std::move(session), std::move(shared), plan.device, unseen));
  return Status::Ok();
}

GraphSession::~GraphSession() { Free(); }

int64_t GraphSession::Free() {
  if (!session_) return 0;
  const std::shared_ptr<const SessionMemory> memory = session_->memory();
  const int64_t charged = memory->bytes;
  session_.reset();  // joins its pool, whose threads are idle
  life_.reset();
  Ledger::Global().Credit(ModelsAccount(), unseen_);
  const int64_t shared = SharedWeights::Drop(std::move(shared_), this);
  return charged - memory->bytes + unseen_ + shared;  // what is still charged has not come back
}

LoadedGraph::LoadedGraph(std::unique_ptr<GraphSession> session, const void* owner, Free free)
    : owner_(owner), free_(std::move(free)), device_(session->device()), session_(std::move(session)) {}

std::shared_ptr<InferSession> LoadedGraph::Use() {
  std::lock_guard lock(ModelTable::Global().mutex_);
  if (!session_ || released_) return nullptr;
  ++users_;
  return {session_->get(), [graph = shared_from_this()](InferSession*) { graph->EndUse(); }};
}

void LoadedGraph::EndUse() {
  ModelTable& table = ModelTable::Global();
  std::unique_ptr<GraphSession> last;
  {
    std::lock_guard lock(table.mutex_);
    last_use_ = ++table.uses_;
    --users_;
    if (released_) last = Close();
  }
  if (last) free_(std::move(last));
}

std::unique_ptr<GraphSession> LoadedGraph::Close() {
  released_ = true;
  return users_ == 0 ? std::move(session_) : nullptr;
}

bool LoadedGraph::Hold() {
  std::lock_guard lock(ModelTable::Global().mutex_);
  if (!session_ || released_) return false;
  ++holders_;
  return true;
}

void LoadedGraph::LetGo() {
  ModelTable& table = ModelTable::Global();
  std::lock_guard lock(table.mutex_);
  if (holders_ > 0) --holders_;
  last_use_ = ++table.uses_;
}

std::optional<EvictedBytes> LoadedGraph::Evict() {
  ModelTable& table = ModelTable::Global();
  std::unique_lock lock(table.mutex_);
  if (!Idle()) return std::nullopt;
  return table.Evict(*this, lock);
}

void LoadedGraph::Release() {
  std::unique_ptr<GraphSession> last;
  {
    std::lock_guard lock(ModelTable::Global().mutex_);
    last = Close();
  }
  if (last) free_(std::move(last));
}

int64_t LoadedGraph::bytes() const {
  std::lock_guard lock(ModelTable::Global().mutex_);
  return session_ ? session_->bytes() : 0;
}

int64_t LoadedGraph::shared_bytes() const {
  std::lock_guard lock(ModelTable::Global().mutex_);
  return session_ ? session_->shared_bytes() : 0;
}

std::optional<EvictedBytes> LoadedGraph::evicted() const {
  std::lock_guard lock(ModelTable::Global().mutex_);
  return evicted_;
}

bool LoadedGraph::released() const {
  std::lock_guard lock(ModelTable::Global().mutex_);
  return released_;
}

ModelTable& ModelTable::Global() {
  static NeverDestroyed<ModelTable> table;
  return *table;
}

std::shared_ptr<LoadedGraph> ModelTable::Add(std::unique_ptr<GraphSession> session, const void* owner,
                                             LoadedGraph::Free free) {
  static std::once_flag added;
  std::call_once(added, [this] { AddReclaimable(this); });
  auto graph = std::make_shared<LoadedGraph>(std::move(session), owner, std::move(free));
  std::lock_guard lock(mutex_);
  graph->last_use_ = ++uses_;
  std::erase_if(graphs_, [](const std::weak_ptr<LoadedGraph>& weak) { return weak.expired(); });
  graphs_.push_back(graph);
  return graph;
}

void ModelTable::ReleaseDevice(const std::string& device) {
  std::vector<std::pair<std::shared_ptr<LoadedGraph>, std::unique_ptr<GraphSession>>> last;
  {
    std::lock_guard lock(mutex_);
    for (const std::weak_ptr<LoadedGraph>& weak : graphs_) {
      std::shared_ptr<LoadedGraph> graph = weak.lock();
      if (!graph || !graph->session_ || graph->device_ != device) continue;
      failed_.emplace(device, graph->session_->life());
      if (graph->retired_) continue;  // goes with its environment
      if (std::unique_ptr<GraphSession> session = graph->Close())
        last.emplace_back(std::move(graph), std::move(session));
    }
  }
  for (auto& [graph, session] : last) graph->free_(std::move(session));
}

void ModelTable::AwaitReleased(const std::string& device, const std::atomic<bool>& cancelled) {
  constexpr auto kLook = std::chrono::milliseconds(2);  // rare, and over once the runs in flight have failed
  std::unique_lock lock(mutex_);
  for (; !cancelled; lock.lock()) {
    std::erase_if(failed_, [](const auto& entry) { return entry.second.expired(); });
    if (!failed_.contains(device)) return;
    lock.unlock();
    std::this_thread::sleep_for(kLook);
  }
}

void ModelTable::Retire(const void* owner) {
  std::unique_lock lock(mutex_);
  bool evicting = false;
  const auto retire = [&] {
    evicting = false;
    for (const std::weak_ptr<LoadedGraph>& weak : graphs_)
      if (std::shared_ptr<LoadedGraph> graph = weak.lock(); graph && graph->owner_ == owner) {
        graph->retired_ = true;
        evicting |= graph->evicting_;
      }
    return !evicting;
  };
  evicted_.wait(lock, retire);
}

void ModelTable::FreeOnDevices(const void* owner) {
  std::vector<std::unique_ptr<GraphSession>> last;  // freed once the lock is not held any more
  std::lock_guard lock(mutex_);
  for (const std::weak_ptr<LoadedGraph>& weak : graphs_)
    if (std::shared_ptr<LoadedGraph> graph = weak.lock();
        graph && graph->owner_ == owner && graph->device_ != "cpu")
      if (std::unique_ptr<GraphSession> session = graph->Close()) last.push_back(std::move(session));
}

int64_t ModelTable::Reclaim(int64_t bytes) {
  int64_t sum = 0;
  std::unique_lock lock(mutex_);
  while (sum < bytes) {
    const std::shared_ptr<LoadedGraph> graph = OldestClaimed();
    if (!graph) break;
    sum += Evict(*graph, lock).charged;
  }
  return sum;
}

// The idle graph that was used longest ago, of those that can be freed without a wait. Null where none can.
std::shared_ptr<LoadedGraph> ModelTable::OldestClaimed() const {
  std::vector<std::shared_ptr<LoadedGraph>> idle;
  for (const std::weak_ptr<LoadedGraph>& weak : graphs_)
    if (std::shared_ptr<LoadedGraph> graph = weak.lock(); graph && graph->Idle())
      idle.push_back(std::move(graph));
  std::ranges::sort(idle, {}, [](const auto& graph) { return graph->last_use_; });
  const auto claimed =
      std::ranges::find_if(idle, [](const auto& graph) { return graph->session_->get()->Claim(); });
  return claimed == idle.end() ? nullptr : *claimed;
}

// REQUIRES: it is idle.
EvictedBytes ModelTable::Evict(LoadedGraph& graph, std::unique_lock<std::mutex>& lock) {
  std::unique_ptr<GraphSession> session = std::move(graph.session_);  // nobody can use it from here on
  graph.evicting_ = true;
  graph.evicted_ = {session->bytes(), 0};  // until it is known
  lock.unlock();
  const int64_t resident = ResidentBytes();
  const int64_t charged = session->Free();
  const EvictedBytes freed{charged, std::max<int64_t>(0, resident - ResidentBytes())};
  TidyAfterSession();  // once it is measured, for this is not the session's own
  lock.lock();
  graph.evicting_ = false;
  graph.evicted_ = freed;
  evicted_.notify_all();
  return freed;
}

}  // namespace spillway
