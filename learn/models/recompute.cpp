// SPDX-License-Identifier: Apache-2.0
// A block as one node of the graph, which runs it again to go back.
#include "learn/models/recompute.h"

#include "learn/models/autocast.h"
#include "learn/models/vit.h"

namespace tilewright::learn {
namespace {

using torch::autograd::AutogradContext;

/// Gradients of the block's weights are added where they belong by the inner pass back.
struct BlockAgain : torch::autograd::Function<BlockAgain> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& tokens_nld,
                               TransformerBlock* block) {
    context->save_for_backward({tokens_nld});
    context->saved_data["block"] = reinterpret_cast<std::int64_t>(block);
    context->saved_data["autocast"] = Autocast::is_on(tokens_nld.device());
    return block->forward(tokens_nld);
  }

  static torch::autograd::variable_list backward(AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto input = context->get_saved_variables()[0].detach().set_requires_grad(true);
    auto* block = reinterpret_cast<TransformerBlock*>(context->saved_data["block"].toInt());
    torch::Tensor output;
    {
      const torch::AutoGradMode with_gradients(true);
      const Autocast precision(context->saved_data["autocast"].toBool(), input.device());
      output = block->forward(input);
    }
    torch::autograd::backward({output}, {gradients[0]});
    return {input.grad(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor recomputed(TransformerBlock& block, const torch::Tensor& tokens_nld) {
  const bool has_way_back = torch::GradMode::is_enabled() && tokens_nld.requires_grad();
  return has_way_back ? BlockAgain::apply(tokens_nld, &block) : block.forward(tokens_nld);
}

}  // namespace tilewright::learn
