"""From pictures to coefficients: landmark detectors and the fitter."""
