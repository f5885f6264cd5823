#include "transferq/fit/direction.hpp"

#include <Eigen/Eigenvalues>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using Rows =
    Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// The unit vector e that maximises |D e|. D has few rows, so that it comes from the rows' products:
// with D D^T u = s u for the largest s, e = D^T u / sqrt(s).
Eigen::VectorXd first_axis(const Eigen::MatrixXd& d) {
  const bool wide = d.cols() > d.rows();
  const Eigen::MatrixXd square = wide ? (d * d.transpose()).eval() : (d.transpose() * d).eval();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(square);
  const Eigen::VectorXd top = solver.eigenvectors().rightCols(1);  // eigenvalues rise
  const Eigen::VectorXd axis = wide ? (d.transpose() * top).eval() : top;
  const double length = axis.norm();
  return length > 0 ? (axis / length).eval() : axis;
}

}  // namespace

Direction find_direction(const FeatureMatrix& differences, DirectionMethod method) {
  const auto columns = static_cast<Eigen::Index>(differences.columns);
  const auto rows =
      columns == 0 ? 0 : static_cast<Eigen::Index>(differences.values.size()) / columns;
  if (rows == 0) {
    throw Error(ErrorKind::input, "there is no pair of texts to find a direction from");
  }
  const Eigen::MatrixXd d = Rows(differences.values.data(), rows, columns).cast<double>();
  if (!d.allFinite()) {
    throw Error(ErrorKind::input,
                "the model gives states that are not finite numbers; use another --model");
  }
  Eigen::VectorXd v = d.colwise().mean();
  if (method == DirectionMethod::pca) {
    const Eigen::VectorXd axis = first_axis(d);
    v = axis * axis.dot(v);
  }
  Direction out;
  out.length = v.norm();
  out.agreement = ((d * v).array() > 0).cast<double>().mean();
  for (const double x : v) out.values.push_back(static_cast<float>(x));
  return out;
}

}  // namespace tq
