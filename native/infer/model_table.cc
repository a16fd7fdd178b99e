#include "infer/model_table.h"

#include <algorithm>

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
                           int64_t unseen)
    : shared_(std::move(shared)), session_(std::move(session)), unseen_(unseen) {
  if (shared_) shared_->Join(this);
}

Status GraphSession::Make(std::unique_ptr<InferSession> session, std::shared_ptr<SharedWeights> shared,
                          const LoadPlan& plan, std::unique_ptr<GraphSession>* out) {
  const int64_t unseen = std::max<int64_t>(0, plan.weight_bytes - session->bytes()) + plan.structure_bytes;
  if (!Ledger::Global().Charge(ModelsAccount(), unseen))
    return RefusedStatus("loading the graph", ModelsAccount(), unseen);
  out->reset(new GraphSession(std::move(session), std::move(shared), unseen));
  return Status::Ok();
}

GraphSession::~GraphSession() { Free(); }

int64_t GraphSession::Free() {
  if (!session_) return 0;
  const std::shared_ptr<const SessionMemory> memory = session_->memory();
  const int64_t charged = memory->bytes;
  session_.reset();  // joins its pool, whose threads are idle
  Ledger::Global().Credit(ModelsAccount(), unseen_);
  const int64_t shared = SharedWeights::Drop(std::move(shared_), this);
  return charged - memory->bytes + unseen_ + shared;  // what is still charged has not come back
}

LoadedGraph::LoadedGraph(std::unique_ptr<GraphSession> session, const void* owner, Free free)
    : owner_(owner), free_(std::move(free)), session_(std::move(session)) {}

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
    if (--users_ == 0 && released_) last = std::move(session_);
  }
  if (last) free_(std::move(last));
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
    released_ = true;
    if (users_ == 0) last = std::move(session_);
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

int64_t ModelTable::Reclaim(int64_t bytes) {
  int64_t sum = 0;
  std::unique_lock lock(mutex_);
  while (sum < bytes) {
    const std::shared_ptr<LoadedGraph> graph = Oldest();
    if (!graph) break;
    sum += Evict(*graph, lock).charged;
  }
  return sum;
}

// Null where none is idle.
std::shared_ptr<LoadedGraph> ModelTable::Oldest() const {
  std::shared_ptr<LoadedGraph> oldest;
  for (const std::weak_ptr<LoadedGraph>& weak : graphs_) {
    std::shared_ptr<LoadedGraph> graph = weak.lock();
    if (graph && graph->Idle() && (!oldest || graph->last_use_ < oldest->last_use_))
      oldest = std::move(graph);
  }
  return oldest;
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
