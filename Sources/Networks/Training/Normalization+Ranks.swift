/// A batch that several ranks share: its statistics are of all their images, as if one had them all.
extension Normalization {
  /// Puts the statistics of the whole batch in the place of the parts'.
  ///
  /// Sums are taken around the moving mean, which is the same for all: around 0, large means would leave little of small
  /// deviations.
  func merge(by exchange: any GradientExchange) {
    let channels = value.channels
    let own = Part(channels)
    for part in parts where part.count > 0 {
      for channel in 0..<channels {
        let (mean, squares) = unsafe (part.first[channel], part.second[channel])
        own.merge(count: part.count, mean: mean, squares: squares, at: channel)
      }
      own.count += part.count
    }
    var sums = [Double](repeating: 0, count: 2 * channels + 1)
    sums[2 * channels] = own.count
    for channel in 0..<channels where own.count > 0 {
      let distance = unsafe own.first[channel] - Double(movingMean[channel])
      sums[channel] = own.count * distance
      sums[channels + channel] = unsafe own.second[channel] + own.count * distance * distance
    }
    exchange.sum(&sums)
    begin()
    parts[0].count = sums[2 * channels]
    for channel in 0..<channels {
      let distance = sums[channel] / parts[0].count
      unsafe parts[0].first[channel] = Double(movingMean[channel]) + distance
      unsafe parts[0].second[channel] = max(0, sums[channels + channel] - distance * sums[channel])
    }
  }

  /// For each channel the sums of gradients and of gradients times deviations, of all ranks.
  func totals(by exchange: any GradientExchange) -> [(Double, Double)] {
    let channels = value.channels
    var sums = [Double](repeating: 0, count: 2 * channels)
    for part in parts {
      for channel in 0..<channels {
        sums[channel] += unsafe part.first[channel]
        sums[channels + channel] += unsafe part.second[channel]
      }
    }
    exchange.sum(&sums)
    return (0..<channels).map { (sums[$0], sums[channels + $0]) }
  }
}
