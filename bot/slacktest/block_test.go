package slacktest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func x(n int) string { return strings.Repeat("x", n) }

func times[T any](n int, one func(int) T) []T {
	var all []T
	for i := range n {
		all = append(all, one(i))
	}
	return all
}

func buttons(n int) []slack.BlockElement {
	return times(n, func(i int) slack.BlockElement { return button(fmt.Sprint("b", i), "v", "B") })
}

func section(s string) slack.Block { return slack.NewSectionBlock(mrkdwn(s), nil, nil) }

func accessory(e slack.BlockElement) slack.Block {
	return slack.NewSectionBlock(mrkdwn("s"), nil, slack.NewAccessory(e))
}

func menu(n, width int) *slack.SelectBlockElement {
	return slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Pick"), "menu",
		times(n, func(i int) *slack.OptionBlockObject {
			return slack.NewOptionBlockObject(fmt.Sprint(i), text(x(width)), nil)
		})...)
}

func confirming(title, body, yes, no int) slack.Block {
	return accessory(button("b", "v", "B").WithConfirm(slack.NewConfirmationBlockObject(text(x(title)), text(x(body)), text(x(yes)), text(x(no)))))
}

func TestTheLimitsOfBlocksInMessages(t *testing.T) {
	s := begin(t, slacktest.Options{})
	dividers := func(n int) []slack.Block { return times(n, func(int) slack.Block { return slack.NewDividerBlock() }) }
	fields := func(n, width int) slack.Block {
		return slack.NewSectionBlock(nil, times(n, func(int) *slack.TextBlockObject { return mrkdwn(x(width)) }), nil)
	}
	context := func(n int) slack.Block {
		return slack.NewContextBlock("", times(n, func(int) slack.MixedElement { return mrkdwn("c") })...)
	}
	limits := map[string]struct {
		most, over []slack.Block
		at         string
	}{
		"blocks":             {dividers(50), dividers(51), "/blocks]"},
		"section text":       {[]slack.Block{section(x(3000))}, []slack.Block{section(x(3001))}, "/blocks/0/text/text"},
		"empty section text": {[]slack.Block{section("x")}, []slack.Block{section("")}, "/blocks/0/text/text"},
		"fields":             {[]slack.Block{fields(10, 1)}, []slack.Block{fields(11, 1)}, "/blocks/0/fields"},
		"field text":         {[]slack.Block{fields(1, 2000)}, []slack.Block{fields(1, 2001)}, "/blocks/0/fields/0/text"},
		"header":             {[]slack.Block{slack.NewHeaderBlock(text(x(150)))}, []slack.Block{slack.NewHeaderBlock(text(x(151)))}, "/blocks/0/text/text"},
		"header in mrkdwn":   {[]slack.Block{slack.NewHeaderBlock(text("h"))}, []slack.Block{slack.NewHeaderBlock(mrkdwn("h"))}, "/blocks/0/text/type"},
		"context":            {[]slack.Block{context(10)}, []slack.Block{context(11)}, "/blocks/0/elements"},
		"buttons":            {[]slack.Block{slack.NewActionBlock("", buttons(25)...)}, []slack.Block{slack.NewActionBlock("", buttons(26)...)}, "/blocks/0/elements"},
		"button text":        {[]slack.Block{accessory(button("b", "v", x(75)))}, []slack.Block{accessory(button("b", "v", x(76)))}, "/blocks/0/accessory/text/text"},
		"button value":       {[]slack.Block{accessory(button("b", x(2000), "B"))}, []slack.Block{accessory(button("b", x(2001), "B"))}, "/blocks/0/accessory/value"},
		"button style":       {[]slack.Block{accessory(button("b", "v", "B").WithStyle("danger"))}, []slack.Block{accessory(button("b", "v", "B").WithStyle("blue"))}, "/blocks/0/accessory/style"},
		"action_id":          {[]slack.Block{accessory(button(x(255), "v", "B"))}, []slack.Block{accessory(button(x(256), "v", "B"))}, "/blocks/0/accessory/action_id"},
		"same action_id":     {[]slack.Block{accessory(button("b", "v", "B")), accessory(button("b", "v", "B"))}, []slack.Block{slack.NewActionBlock("", button("b", "1", "B"), button("b", "2", "B"))}, "/blocks/0/elements/1/action_id"},
		"block_id":           {[]slack.Block{slack.NewActionBlock(x(255), buttons(1)...)}, []slack.Block{slack.NewActionBlock(x(256), buttons(1)...)}, "/blocks/0/block_id"},
		"same block_id":      {[]slack.Block{slack.NewActionBlock("a", buttons(1)...), slack.NewActionBlock("b", buttons(1)...)}, []slack.Block{slack.NewActionBlock("a", buttons(1)...), slack.NewActionBlock("a", buttons(1)...)}, "/blocks/1/block_id"},
		"options":            {[]slack.Block{accessory(menu(100, 1))}, []slack.Block{accessory(menu(101, 1))}, "/blocks/0/accessory/options"},
		"option text":        {[]slack.Block{accessory(menu(1, 75))}, []slack.Block{accessory(menu(1, 76))}, "/blocks/0/accessory/options/0/text/text"},
		"confirm title":      {[]slack.Block{confirming(100, 1, 1, 1)}, []slack.Block{confirming(101, 1, 1, 1)}, "/blocks/0/accessory/confirm/title/text"},
		"confirm text":       {[]slack.Block{confirming(1, 300, 1, 1)}, []slack.Block{confirming(1, 301, 1, 1)}, "/blocks/0/accessory/confirm/text/text"},
		"confirm yes":        {[]slack.Block{confirming(1, 1, 30, 1)}, []slack.Block{confirming(1, 1, 31, 1)}, "/blocks/0/accessory/confirm/confirm/text"},
		"confirm no":         {[]slack.Block{confirming(1, 1, 1, 30)}, []slack.Block{confirming(1, 1, 1, 31)}, "/blocks/0/accessory/confirm/deny/text"},
		"image alt text":     {[]slack.Block{slack.NewImageBlock("https://e.example/i.png", x(2000), "", nil)}, []slack.Block{slack.NewImageBlock("https://e.example/i.png", x(2001), "", nil)}, "/blocks/0/alt_text"},
		"image url":          {[]slack.Block{slack.NewImageBlock("https://e.example/i.png", "i", "", nil)}, []slack.Block{slack.NewImageBlock("", "i", "", nil)}, "/blocks/0"},
		"markdown":           {[]slack.Block{slack.NewMarkdownBlock("", x(12000))}, []slack.Block{slack.NewMarkdownBlock("", x(12001))}, "/blocks/0/text"},
		"input label": {
			[]slack.Block{slack.NewInputBlock("i", text(x(2000)), nil, slack.NewPlainTextInputBlockElement(nil, "a"))},
			[]slack.Block{slack.NewInputBlock("i", text(x(2001)), nil, slack.NewPlainTextInputBlockElement(nil, "a"))},
			"/blocks/0/label/text",
		},
		"unknown blocks": {
			[]slack.Block{slack.NewRichTextBlock("", slack.NewRichTextSection(slack.NewRichTextSectionTextElement("r", nil)))},
			[]slack.Block{slack.NewTableBlock("t")},
			"/blocks/0/type",
		},
	}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionBlocks(limit.most...)); err != nil {
				t.Errorf("what is allowed: %v %q", err, s.Problems())
			}
			_, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionBlocks(limit.over...))
			refused(t, err, "invalid_blocks", limit.at)
		})
	}
	if n := len(s.Problems()); n != len(limits) {
		t.Errorf("%d problems of %d limits", n, len(limits))
	}
}

func refused(t *testing.T, err error, code, at string) {
	t.Helper()
	e, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok || e.Err != code {
		t.Fatalf("error is %v, want %s", err, code)
	}
	said := strings.Join(e.ResponseMetadata.Messages, "\n")
	if !strings.Contains(said, "[ERROR]") || !strings.Contains(said, "[json-pointer:"+at) || len(e.Errors) == 0 {
		t.Errorf("messages are %q, errors %+v, want something at %s", said, e.Errors, at)
	}
}

func form() slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "ask:remove-user", Title: text("Remove a user"), Submit: text("Ask"), Close: text("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock("email", text("E-mail"), nil, slack.NewEmailTextInputBlockElement(nil, "value")),
			slack.NewInputBlock("reason", text("Reason"), nil, slack.NewPlainTextInputBlockElement(nil, "value").WithMaxLength(10)),
			slack.NewInputBlock("stage", text("Stage"), nil, menu(2, 4)).WithOptional(true),
		}},
	}
}

func TestTheLimitsOfModals(t *testing.T) {
	s := begin(t, slacktest.Options{})
	for name, limit := range map[string]struct {
		most, over func(*slack.ModalViewRequest)
		at         string
	}{
		"title":            {func(v *slack.ModalViewRequest) { v.Title = text(x(24)) }, func(v *slack.ModalViewRequest) { v.Title = text(x(25)) }, "/view/title/text"},
		"submit":           {func(v *slack.ModalViewRequest) { v.Submit = text(x(24)) }, func(v *slack.ModalViewRequest) { v.Submit = text(x(25)) }, "/view/submit/text"},
		"close":            {func(v *slack.ModalViewRequest) { v.Close = text(x(24)) }, func(v *slack.ModalViewRequest) { v.Close = text(x(25)) }, "/view/close/text"},
		"private_metadata": {func(v *slack.ModalViewRequest) { v.PrivateMetadata = x(3000) }, func(v *slack.ModalViewRequest) { v.PrivateMetadata = x(3001) }, "/view/private_metadata"},
		"callback_id":      {func(v *slack.ModalViewRequest) { v.CallbackID = x(255) }, func(v *slack.ModalViewRequest) { v.CallbackID = x(256) }, "/view/callback_id"},
		"no submit":        {func(*slack.ModalViewRequest) {}, func(v *slack.ModalViewRequest) { v.Submit = nil }, "/view]"},
		"blocks": {
			func(v *slack.ModalViewRequest) {
				v.Blocks.BlockSet = times(100, func(int) slack.Block { return slack.NewDividerBlock() })
			},
			func(v *slack.ModalViewRequest) {
				v.Blocks.BlockSet = times(101, func(int) slack.Block { return slack.NewDividerBlock() })
			}, "/view/blocks]",
		},
		"placeholder": {
			func(v *slack.ModalViewRequest) {
				v.Blocks.BlockSet[1] = slack.NewInputBlock("r", text("R"), nil, slack.NewPlainTextInputBlockElement(text(x(150)), "a"))
			},
			func(v *slack.ModalViewRequest) {
				v.Blocks.BlockSet[1] = slack.NewInputBlock("r", text("R"), nil, slack.NewPlainTextInputBlockElement(text(x(151)), "a"))
			}, "/view/blocks/1/element/placeholder/text",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, change := range []func(*slack.ModalViewRequest){limit.most, limit.over} {
				v := form()
				change(&v)
				_, err := s.api.OpenView("1.nobody", v)
				if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok && e.Err == "invalid_trigger_id" {
					continue
				}
				refused(t, err, "invalid_arguments", limit.at)
			}
		})
	}
	if n := len(s.Problems()); n != 8 {
		t.Errorf("%d problems: %q", n, s.Problems())
	}
}
