/// What the Bayesian strategy takes for likely before it has seen anything, and how it begins.
package struct Settings: Hashable, Sendable {
  package var lengthCentre = -0.7
  package var lengthGrowth = 0.5
  package var lengthDeviation = 1.0
  package var signalDeviation = 1.0
  package var noiseCentre = -9.0
  package var noiseDeviation = 2.0
  package var warp = 1
  package var designBase = 3.0
  package var designPerParameter = 1.0
  package init() {}
}
