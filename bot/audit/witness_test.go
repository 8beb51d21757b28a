package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// headAt is a head whose hash is one letter.
func headAt(seq int64, letter string) store.Head {
	return store.Head{Seq: seq, Hash: strings.Repeat(letter, 64)}
}

// leaves is the event that a head was left at a place, as the store reads it.
func leaves(head store.Head, where string) request.Event {
	return request.Event{Kind: "anchored", At: noon, Data: map[string]any{"seq": float64(head.Seq), "hash": head.Hash, "where": where}}
}

func TestWitnessesThatAreMissingOrChangedAreNamed(t *testing.T) {
	for _, test := range []struct {
		name     string
		left     []request.Event
		standing []audit.Witness
		believed []store.Head
		wrong    []string // the beginnings
	}{
		{
			"all stand",
			[]request.Event{leaves(headAt(1000007, "a"), "C1/1.1"), leaves(headAt(1000009, "b"), "C1/2.2")},
			[]audit.Witness{{Where: "C1/2.2", Head: headAt(1000009, "b")}, {Where: "C1/1.1", Head: headAt(1000007, "a")}},
			[]store.Head{headAt(1000009, "b"), headAt(1000007, "a")},
			nil,
		},
		{
			"one was deleted",
			[]request.Event{leaves(headAt(7, "a"), "C1/1.1"), leaves(headAt(9, "b"), "C1/2.2")},
			[]audit.Witness{{Where: "C1/2.2", Head: headAt(9, "b")}},
			[]store.Head{headAt(9, "b")},
			[]string{"C1/1.1 is missing: event 7 was anchored there at 2026-03-02 12:00:00 UTC, with hash aaaa"},
		},
		{
			"one was changed",
			[]request.Event{leaves(headAt(7, "a"), "C1/1.1"), leaves(headAt(9, "b"), "C1/2.2")},
			[]audit.Witness{{Where: "C1/1.1", Head: headAt(7, "c")}, {Where: "C1/2.2", Head: headAt(9, "b")}},
			[]store.Head{headAt(9, "b")},
			[]string{"C1/1.1 was changed: 7:aaaa"},
		},
		{
			"one was set back",
			[]request.Event{leaves(headAt(7, "a"), "C1/1.1")},
			[]audit.Witness{{Where: "C1/1.1", Head: headAt(3, "d")}},
			nil,
			[]string{"C1/1.1 was changed: 7:aaaa"},
		},
		{
			"a card was brought up to date, as the record says",
			[]request.Event{leaves(headAt(7, "a"), "C1/1.1"), leaves(headAt(9, "b"), "C1/1.1")},
			[]audit.Witness{{Where: "C1/1.1", Head: headAt(9, "b")}},
			[]store.Head{headAt(9, "b")},
			nil,
		},
		{
			"a card was brought up to date just now",
			[]request.Event{leaves(headAt(7, "a"), "C1/1.1")},
			[]audit.Witness{{Where: "C1/1.1", Head: headAt(9, "b")}},
			[]store.Head{headAt(9, "b")},
			nil,
		},
		{
			"one stands of which the record knows nothing", nil,
			[]audit.Witness{{Where: "C1/1.1", Head: headAt(7, "a")}},
			[]store.Head{headAt(7, "a")},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			left, err := audit.Left(ofAll(test.left))
			if err != nil {
				t.Fatal(err)
			}
			believed, wrong := audit.Compare(left, test.standing)
			if diff := cmp.Diff(test.believed, believed); diff != "" {
				t.Errorf("believed (-want +got)\n%s", diff)
			}
			if len(wrong) != len(test.wrong) {
				t.Fatalf("wrong are %q", wrong)
			}
			for i, begins := range test.wrong {
				if !strings.HasPrefix(wrong[i], begins) {
					t.Errorf("it says %q", wrong[i])
				}
			}
		})
	}
}

func TestAnAnnouncedBreakMakesVoidWhatItNamesAndNothingElse(t *testing.T) {
	record := []request.Event{{Seq: 1, Hash: headAt(1, "a").Hash}, {Seq: 2, Hash: headAt(2, "b").Hash}}
	anchors := []store.Head{headAt(1, "a"), headAt(2, "c"), headAt(5, "d"), headAt(5, "d")}
	void, err := audit.Contradicting(anchors, ofAll(record))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Head{headAt(2, "c"), headAt(5, "d")}, void); diff != "" {
		t.Errorf("contradicting (-want +got)\n%s", diff)
	}
	event := audit.Break{At: time.Now(), By: "terminal:otter", Reason: "The disk broke.", Void: void}.Event()
	event.Data["void"] = []any{void[0].String(), void[1].String()} // as the store reads it
	breaks, err := audit.Breaks(ofAll([]request.Event{event}))
	if err != nil || len(breaks) != 1 || !strings.Contains(breaks[0].String(), "The disk broke.") {
		t.Fatalf("%v, %v", breaks, err)
	}
	if diff := cmp.Diff([]store.Head{headAt(1, "a"), headAt(2, "e")}, audit.Standing([]store.Head{headAt(1, "a"), headAt(2, "c"), headAt(2, "e"), headAt(5, "d")}, breaks)); diff != "" {
		t.Errorf("standing (-want +got)\n%s", diff)
	}
}
