package chart

// TextWidth is the estimate that keeps labels apart.
var TextWidth = width

// DigitContrast is the contrast of a cell's digits where its share of the
// greatest value is share.
func DigitContrast(share float64) float64 { return contrast(inkOn(shade(share)), shade(share)) }
