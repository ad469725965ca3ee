// Package docs embeds the documentation, so that the console serves the same
// pages that the repository shows. It holds no code beyond the embed directive.
package docs

import "embed"

// Files are the Markdown pages.
//
//go:embed *.md */*.md */*/*.md
var Files embed.FS
