package chart

// TextWidth is the estimate that keeps labels apart.
var TextWidth = width
