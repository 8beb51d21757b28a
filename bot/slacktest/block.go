package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// surface is where blocks are shown.
type surface string

const (
	message surface = "message"
	modal   surface = "modal"
	home    surface = "home"
)

// checkBlocks holds blocks to the limits of Block Kit and returns them with the
// block and action IDs that Slack makes up where there are none; nil for an
// empty list. See https://docs.slack.dev/reference/block-kit/blocks/.
func (w *Workspace) checkBlocks(raw string, on surface) (json.RawMessage, error) {
	var blocks []object
	if err := json.Unmarshal([]byte(raw), &blocks); err != nil {
		return nil, apiError("invalid_blocks_format")
	}
	c := checker{on: on, id: func() string { return w.id("b") }}
	c.blocks("/blocks", blocks)
	if c.faults != nil {
		return nil, invalid("invalid_blocks", c.faults)
	}
	if c.markdown > maxMarkdown {
		return nil, apiError("msg_blocks_too_long")
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	return json.Marshal(blocks)
}

// maxMarkdown is how much text all markdown blocks of a message hold.
// See https://docs.slack.dev/reference/block-kit/blocks/markdown-block/.
const maxMarkdown = 12000

// checker collects what is wrong with blocks, in Slack's words: a rule and a
// JSON pointer.
type checker struct {
	on       surface
	id       func() string
	faults   []string
	blockIDs []string
	inputs   int
	markdown int
}

func (c *checker) fault(at, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// length holds a string to a number of characters.
func (c *checker) length(at, s string, least, most int) {
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		c.fault(at, "must be more than %d characters", least-1)
	case n > most:
		c.fault(at, "must be less than %d characters", most+1)
	}
}

func (c *checker) items(at string, n, least, most int) {
	switch {
	case n < least:
		c.fault(at, "no fewer than %d items required", least)
	case n > most:
		c.fault(at, "no more than %d items allowed", most)
	}
}

// only refuses properties that are not named, and misses those marked with a !.
func (c *checker) only(at string, o object, properties string) {
	known := strings.Fields(properties)
	for _, p := range known {
		if name, must := strings.CutSuffix(p, "!"); must {
			if _, ok := o[name]; !ok {
				c.fault(at, "missing required field: %s", name)
			}
		}
	}
	for name := range o {
		if !slices.Contains(known, name) && !slices.Contains(known, name+"!") {
			c.fault(at+"/"+name, "invalid additional property: %s", name)
		}
	}
}

// optional reads a string that may be left out.
func (c *checker) optional(at string, o object, name string, most int) string {
	v, ok := o[name]
	if !ok || v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		c.fault(at+"/"+name, "must provide a string")
		return ""
	}
	c.length(at+"/"+name, s, 0, most)
	return s
}

// array reads a list of objects that must be there.
func (c *checker) array(at string, o object, name string, least, most int) []object {
	values, ok := o[name].([]any)
	if !ok {
		c.fault(at+"/"+name, "must provide an array")
		return nil
	}
	c.items(at+"/"+name, len(values), least, most)
	return objs(o, name)
}

// text checks a text object. kinds are plain_text, mrkdwn, or both.
// See https://docs.slack.dev/reference/block-kit/composition-objects/text-object/.
func (c *checker) text(at string, o object, name string, most int, kinds ...string) {
	at += "/" + name
	t, ok := o[name].(object)
	if !ok {
		c.fault(at, "must provide an object")
		return
	}
	c.textObject(at, t, most, kinds...)
}

func (c *checker) textObject(at string, t object, most int, kinds ...string) {
	c.only(at, t, "type! text! emoji verbatim")
	kind := str(t, "type")
	if !slices.Contains(kinds, kind) {
		c.fault(at+"/type", "must be one of: %s", strings.Join(kinds, ", "))
	}
	if _, emoji := t["emoji"]; emoji && kind == "mrkdwn" {
		c.fault(at+"/emoji", "invalid additional property: emoji")
	}
	s, ok := t["text"].(string)
	if !ok {
		c.fault(at+"/text", "must provide a string")
		return
	}
	c.length(at+"/text", s, 1, most)
}

var eitherText = []string{"plain_text", "mrkdwn"}

func (c *checker) blocks(at string, blocks []object) {
	most := 50
	if c.on != message {
		most = 100
	}
	c.items(at, len(blocks), 0, most)
	for i, b := range blocks {
		at := fmt.Sprintf("%s/%d", at, i)
		if b == nil {
			c.fault(at, "must provide an object")
			continue
		}
		if id := c.optional(at, b, "block_id", 255); id == "" {
			b["block_id"] = c.id()
		} else if slices.Contains(c.blockIDs, id) {
			c.fault(at+"/block_id", "`block_id` %q already exists", id)
		}
		c.blockIDs = append(c.blockIDs, str(b, "block_id"))
		c.block(at, b)
	}
}

func (c *checker) block(at string, b object) {
	switch kind := str(b, "type"); kind {
	case "section":
		c.section(at, b)
	case "header":
		c.only(at, b, "type block_id text! level")
		c.text(at, b, "text", 150, "plain_text")
	case "divider":
		c.only(at, b, "type block_id")
	case "context":
		c.only(at, b, "type block_id elements!")
		for i, e := range c.array(at, b, "elements", 1, 10) {
			at := fmt.Sprintf("%s/elements/%d", at, i)
			if str(e, "type") == "image" {
				c.image(at, e, "")
				continue
			}
			c.textObject(at, e, 3000, eitherText...)
		}
	case "actions":
		c.only(at, b, "type block_id elements!")
		ids := map[string]bool{}
		for i, e := range c.array(at, b, "elements", 1, 25) {
			at := fmt.Sprintf("%s/elements/%d", at, i)
			c.element(at, e, inActions)
			if id := str(e, "action_id"); ids[id] {
				c.fault(at+"/action_id", "`action_id` %q already exists for `block_id` %q", id, str(b, "block_id"))
			} else {
				ids[id] = true
			}
		}
	case "input":
		c.inputs++
		c.only(at, b, "type block_id label! element! hint optional dispatch_action")
		c.text(at, b, "label", 2000, "plain_text")
		if _, ok := b["hint"]; ok {
			c.text(at, b, "hint", 2000, "plain_text")
		}
		e, ok := b["element"].(object)
		if !ok {
			c.fault(at+"/element", "must provide an object")
			return
		}
		c.element(at+"/element", e, inInput)
	case "image":
		c.image(at, b, "block_id title")
		if _, ok := b["title"]; ok {
			c.text(at, b, "title", 2000, "plain_text")
		}
	case "rich_text":
		c.only(at, b, "type block_id elements!")
		for i, e := range c.array(at, b, "elements", 0, 3000) {
			if !slices.Contains([]string{"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}, str(e, "type")) {
				c.fault(fmt.Sprintf("%s/elements/%d/type", at, i), "unsupported type: %s", str(e, "type"))
			}
		}
	case "file":
		c.only(at, b, "type block_id external_id! source!")
		if str(b, "source") != "remote" {
			c.fault(at+"/source", "must be one of: remote")
		}
		c.messageOnly(at, kind)
	case "markdown":
		c.only(at, b, "type block_id text!")
		s, _ := b["text"].(string)
		c.length(at+"/text", s, 1, maxMarkdown)
		c.markdown += utf8.RuneCountInString(s)
		c.messageOnly(at, kind)
	default:
		c.fault(at+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) messageOnly(at, kind string) {
	if c.on != message {
		c.fault(at+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) section(at string, b object) {
	c.only(at, b, "type block_id text fields accessory expand")
	_, hasText := b["text"]
	_, hasFields := b["fields"]
	if !hasText && !hasFields {
		c.fault(at, "missing required field: text or fields")
	}
	if hasText {
		c.text(at, b, "text", 3000, eitherText...)
	}
	if hasFields {
		for i, f := range c.array(at, b, "fields", 1, 10) {
			c.textObject(fmt.Sprintf("%s/fields/%d", at, i), f, 2000, eitherText...)
		}
	}
	if accessory, ok := b["accessory"].(object); ok {
		if str(accessory, "type") == "image" {
			c.image(at+"/accessory", accessory, "")
			return
		}
		c.element(at+"/accessory", accessory, inSection)
	}
}

// image checks an image block or element; more are properties it may have beside
// its own.
func (c *checker) image(at string, o object, more string) {
	c.only(at, o, "type! alt_text! image_url slack_file "+more)
	if s, ok := o["alt_text"].(string); ok {
		c.length(at+"/alt_text", s, 1, 2000)
	}
	url := c.optional(at, o, "image_url", 3000)
	if _, ok := o["slack_file"]; !ok && url == "" {
		c.fault(at, "missing required field: image_url or slack_file")
	}
}
