package slacktest

import (
	"fmt"
	"slices"
	"strings"
)

// place is the part of a block an element stands in.
type place int

const (
	inActions place = iota
	inSection
	inInput
)

// elements are the interactive ones, with their properties (beside type and
// action_id; a ! marks what must be there) and whether they go into input blocks
// only, never into them, or anywhere.
// See https://docs.slack.dev/reference/block-kit/block-elements/.
var elements = map[string]struct {
	properties string
	inputOnly  bool
	neverInput bool
}{
	"button":                     {properties: "text! url value style confirm accessibility_label", neverInput: true},
	"overflow":                   {properties: "options! confirm", neverInput: true},
	"checkboxes":                 {properties: "options! initial_options confirm focus_on_load"},
	"radio_buttons":              {properties: "options! initial_option confirm focus_on_load"},
	"datepicker":                 {properties: "initial_date confirm focus_on_load placeholder"},
	"timepicker":                 {properties: "initial_time confirm focus_on_load placeholder timezone"},
	"datetimepicker":             {properties: "initial_date_time confirm focus_on_load"},
	"static_select":              {properties: "placeholder options option_groups initial_option confirm focus_on_load"},
	"external_select":            {properties: "placeholder initial_option min_query_length confirm focus_on_load"},
	"users_select":               {properties: "placeholder initial_user confirm focus_on_load"},
	"channels_select":            {properties: "placeholder initial_channel confirm response_url_enabled focus_on_load"},
	"conversations_select":       {properties: "placeholder initial_conversation default_to_current_conversation confirm response_url_enabled filter focus_on_load"},
	"multi_static_select":        {properties: "placeholder options option_groups initial_options confirm max_selected_items focus_on_load"},
	"multi_external_select":      {properties: "placeholder min_query_length initial_options confirm max_selected_items focus_on_load"},
	"multi_users_select":         {properties: "placeholder initial_users confirm max_selected_items focus_on_load"},
	"multi_channels_select":      {properties: "placeholder initial_channels confirm max_selected_items focus_on_load"},
	"multi_conversations_select": {properties: "placeholder initial_conversations default_to_current_conversation confirm max_selected_items filter focus_on_load"},
	"plain_text_input":           {properties: "placeholder initial_value multiline min_length max_length dispatch_action_config focus_on_load", inputOnly: true},
	"email_text_input":           {properties: "placeholder initial_value dispatch_action_config focus_on_load", inputOnly: true},
	"url_text_input":             {properties: "placeholder initial_value dispatch_action_config focus_on_load", inputOnly: true},
	"number_input":               {properties: "is_decimal_allowed! placeholder initial_value min_value max_value dispatch_action_config focus_on_load", inputOnly: true},
}

func (c *checker) element(at string, e object, in place) {
	kind := str(e, "type")
	known, ok := elements[kind]
	if !ok || known.neverInput && in == inInput || known.inputOnly && in != inInput {
		c.fault(at+"/type", "unsupported type: %s", kind)
		return
	}
	c.only(at, e, "type! action_id "+known.properties)
	if c.optional(at, e, "action_id", 255) == "" {
		e["action_id"] = c.id()
	}
	if _, ok := e["placeholder"]; ok {
		c.text(at, e, "placeholder", 150, "plain_text")
	}
	if confirm, ok := e["confirm"].(object); ok {
		c.confirm(at+"/confirm", confirm)
	}
	switch kind {
	case "button":
		c.button(at, e)
	case "overflow":
		c.options(at, e, "options", 1, 5, false)
	case "checkboxes", "radio_buttons":
		c.options(at, e, "options", 1, 10, true)
	case "static_select", "multi_static_select":
		c.choices(at, e)
	case "plain_text_input":
		c.plainTextInput(at, e)
	}
	if most, ok := e["max_selected_items"].(float64); ok && most < 1 {
		c.fault(at+"/max_selected_items", "must be at least 1")
	}
	c.initial(at, e)
}

func (c *checker) button(at string, e object) {
	c.text(at, e, "text", 75, "plain_text")
	c.optional(at, e, "value", 2000)
	c.optional(at, e, "url", 3000)
	c.optional(at, e, "accessibility_label", 75)
	if style := c.optional(at, e, "style", 255); !slices.Contains([]string{"", "primary", "danger"}, style) {
		c.fault(at+"/style", "must be one of: primary, danger")
	}
}

// confirm: see https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object/.
func (c *checker) confirm(at string, o object) {
	c.only(at, o, "title! text! confirm! deny! style")
	c.text(at, o, "title", 100, "plain_text")
	c.text(at, o, "text", 300, eitherText...)
	c.text(at, o, "confirm", 30, "plain_text")
	c.text(at, o, "deny", 30, "plain_text")
}

// options: see https://docs.slack.dev/reference/block-kit/composition-objects/option-object/.
func (c *checker) options(at string, e object, name string, least, most int, mrkdwn bool) {
	for i, o := range c.array(at, e, name, least, most) {
		c.option(fmt.Sprintf("%s/%s/%d", at, name, i), o, mrkdwn)
	}
}

func (c *checker) option(at string, o object, mrkdwn bool) {
	kinds := []string{"plain_text"}
	if mrkdwn {
		kinds = eitherText
	}
	c.only(at, o, "text! value! description url")
	c.text(at, o, "text", 75, kinds...)
	if v, ok := o["value"].(string); ok {
		c.length(at+"/value", v, 1, 150)
	}
	c.optional(at, o, "url", 3000)
	if _, ok := o["description"]; ok {
		c.text(at, o, "description", 75, kinds...)
	}
}

// choices checks the options, or groups of them, of a select menu or of an
// answer to block_suggestion.
func (c *checker) choices(at string, e object) {
	_, options := e["options"]
	_, groups := e["option_groups"]
	switch {
	case options == groups:
		c.fault(at, "must have either options or option_groups")
	case options:
		c.options(at, e, "options", 0, 100, false)
	default:
		for i, g := range c.array(at, e, "option_groups", 0, 100) {
			at := fmt.Sprintf("%s/option_groups/%d", at, i)
			c.only(at, g, "label! options!")
			c.text(at, g, "label", 75, "plain_text")
			c.options(at, g, "options", 0, 100, false)
		}
	}
}

func (c *checker) plainTextInput(at string, e object) {
	for _, name := range []string{"min_length", "max_length"} {
		if n, ok := e[name].(float64); ok && (n < 0 || n > 3000) {
			c.fault(at+"/"+name, "must be between 0 and 3000")
		}
	}
	most := 3000
	if n, ok := e["max_length"].(float64); ok {
		most = int(n)
	}
	c.optional(at, e, "initial_value", most)
}

// initial holds what is chosen beforehand to what can be chosen.
func (c *checker) initial(at string, e object) {
	among := chosenAmong(e)
	if among == nil {
		return
	}
	if o, ok := e["initial_option"].(object); ok && !slices.Contains(among, str(o, "value")) {
		c.fault(at+"/initial_option", "must be one of the options")
	}
	for i, o := range objs(e, "initial_options") {
		if !slices.Contains(among, str(o, "value")) {
			c.fault(fmt.Sprintf("%s/initial_options/%d", at, i), "must be one of the options")
		}
	}
}

// chosenAmong lists the values of an element's options; nil where it has none of
// its own.
func chosenAmong(e object) []string {
	var values []string
	for _, o := range optionsOf(e) {
		values = append(values, str(o, "value"))
	}
	return values
}

func optionsOf(e object) []object {
	all := objs(e, "options")
	for _, g := range objs(e, "option_groups") {
		all = append(all, objs(g, "options")...)
	}
	return all
}

// checkView holds a view to its limits and fills in the IDs of its blocks.
// See https://docs.slack.dev/reference/views/.
func (w *Workspace) checkView(o object, on surface) []string {
	c := checker{on: on, id: func() string { return w.id("b") }}
	if str(o, "type") != string(on) {
		c.fault("/view/type", "must be one of: %s", on)
		return c.faults
	}
	properties := "type! blocks! private_metadata callback_id external_id"
	if on == modal {
		properties += " title! close submit clear_on_close notify_on_close submit_disabled"
		c.text("/view", o, "title", 24, "plain_text")
		for _, name := range []string{"close", "submit"} {
			if _, ok := o[name]; ok {
				c.text("/view", o, name, 24, "plain_text")
			}
		}
	}
	c.only("/view", o, properties)
	c.optional("/view", o, "private_metadata", 3000)
	c.optional("/view", o, "callback_id", 255)
	c.optional("/view", o, "external_id", 255)
	c.blocks("/view/blocks", objs(o, "blocks"))
	if _, ok := o["submit"]; on == modal && c.inputs > 0 && !ok {
		c.fault("/view", "missing required field: submit (there are input blocks)")
	}
	if len(c.faults) > 0 {
		c.faults = append([]string{"failed to match all allowed schemas [json-pointer:/view]"}, c.faults...)
	}
	return c.faults
}

// listed joins faults for people.
func listed(faults []string) string { return strings.Join(faults, "; ") }
