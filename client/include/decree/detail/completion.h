// Turns the handler of any Asio completion token into a std::function that delivers it as Asio
// promises: on the handler's associated executor, which is kept running by outstanding work
// meanwhile, and with the handler's cancellation slot cleared first.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "decree/result.h"

namespace decree::detail {

struct NoExecutor {};

template <class Handler>
using HandlerExecutor = typename boost::asio::associated_executor<Handler, NoExecutor>::type;

// Invokes at most once. The handler is moved out first: it may free its own memory (a coroutine
// frame).
template <class T, class Handler>
void Complete(Handler& stored, Result<T> result) {
  if (auto slot = boost::asio::get_associated_cancellation_slot(stored); slot.is_connected()) {
    slot.clear();
  }
  Handler handler(std::move(stored));
  std::move(handler)(std::move(result));
}

// A handler without an executor of its own runs on the thread that completes the call.
template <class T, class Handler>
std::function<void(Result<T>)> BindHandler(std::shared_ptr<Handler> handler) {
  if constexpr (std::is_same_v<HandlerExecutor<Handler>, NoExecutor>) {
    return [handler](Result<T> result) { Complete<T>(*handler, std::move(result)); };
  } else {
    const auto executor =
        boost::asio::associated_executor<Handler, NoExecutor>::get(*handler, NoExecutor{});
    auto work =
        std::make_shared<boost::asio::executor_work_guard<HandlerExecutor<Handler>>>(executor);
    return [handler, work](Result<T> result) {
      boost::asio::post(work->get_executor(), [handler, result = std::move(result)]() mutable {
        Complete<T>(*handler, std::move(result));
      });
      work->reset();
    };
  }
}

// Starts a call for a completion token. `start(call, done)` launches it under the number `call`;
// `cancel(call)` gives it up when the token's owner asks (a parallel group, a cancellation signal).
template <class T, class Handler, class Start, class Cancel>
void Initiate(Handler handler, std::uint64_t call, Start start, Cancel cancel) {
  auto stored = std::make_shared<Handler>(std::move(handler));
  if (auto slot = boost::asio::get_associated_cancellation_slot(*stored); slot.is_connected()) {
    slot.assign([call, cancel](boost::asio::cancellation_type) { cancel(call); });
  }
  start(call, BindHandler<T>(std::move(stored)));
}

}  // namespace decree::detail
