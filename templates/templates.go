// Package templates embeds what people read: the message catalogue, the
// console's pages and the reports' layout. It holds no code beyond the embed
// directives.
package templates

import "embed"

// Messages is the catalogue: messages/AREA.LANGUAGE.yaml.
//
//go:embed messages/*.yaml
var Messages embed.FS

// Reports are the reports: their definitions, layout and fonts.
//
//go:embed reports
var Reports embed.FS

// Console are the console's pages, style sheet, script and mark.
//
//go:embed console
var Console embed.FS
