package services

import (
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/text"
)

// controlText is one text of a control: of the control's own file, or of the
// catalogue. Part is title, what, summary, why or do.
func controlText(c *control.Control, p *text.Printer, part string) string {
	if own := c.Texts[part]; own != nil {
		if s := own[p.Lang]; s != "" {
			return s
		}
		return own[text.Languages[0]]
	}
	return p.T(c.Message(part), nil)
}
