package audit

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// Witness is a head of the record that stands outside of it, and where: a message of
// Slack's or an object in S3, as the events of the kinds "anchored" and
// "anchored-vault" have it.
type Witness struct {
	Where string
	Head  store.Head
	At    time.Time // when it was recorded; zero for one that was read where it stands
}

// Left are the witnesses that the record says it has left: the newest of each place,
// for a card's is brought up to date, in the order of their places' first.
func Left(events iter.Seq2[request.Event, error]) ([]Witness, error) {
	var list []Witness
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		where, _ := e.Data["where"].(string)
		w := Witness{Where: where, Head: headOf(e.Data["seq"], e.Data["hash"]), At: e.At}
		if w.Where == "" || w.Head.Seq == 0 {
			continue
		}
		if i := slices.IndexFunc(list, func(other Witness) bool { return other.Where == where }); i >= 0 {
			list[i] = w
			continue
		}
		list = append(list, w)
	}
	return list, nil
}

// headOf is a head as an event has it; the zero value is none.
func headOf(seq, hash any) store.Head {
	number, _ := seq.(float64)
	head, err := store.ParseHead(fmt.Sprintf("%d:%v", int64(number), hash))
	if err != nil {
		return store.Head{}
	}
	return head
}

// Compare compares the witnesses that the record has left with those that stand. It
// says in words which are missing and which were changed, and returns those that may
// be believed: all that stand but the changed ones. One that stands with a later head
// than the record says was brought up to date since.
func Compare(left, standing []Witness) (believed []store.Head, wrong []string) {
	there := map[string]store.Head{}
	for _, w := range standing {
		there[w.Where] = w.Head
	}
	changed := map[string]bool{}
	for _, w := range left {
		stands, ok := there[w.Where]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s is missing: event %d was anchored there at %s, with hash %s", w.Where, w.Head.Seq, moment(w.At), w.Head.Hash))
		case stands != w.Head && stands.Seq <= w.Head.Seq:
			changed[w.Where] = true
			wrong = append(wrong, fmt.Sprintf("%s was changed: %s was anchored there at %s, and now it says %s", w.Where, w.Head, moment(w.At), stands))
		}
	}
	for _, w := range standing {
		if !changed[w.Where] {
			believed = append(believed, w.Head)
		}
	}
	return believed, wrong
}

// Break is a restore of the record from a backup that somebody has announced: what was
// anchored after the backup, and is gone with what was lost, contradicts the record.
type Break struct {
	Seq    int64 // of the event
	At     time.Time
	By     string
	Reason string
	Void   []store.Head // the anchors that don't count any more
}

// String is the break in words.
func (b Break) String() string {
	return fmt.Sprintf("event %d, of %s: %s announced that the record was restored from a backup (%s); %d of the anchors are of what was lost",
		b.Seq, moment(b.At), by(b.By, request.Asker{}).called(b.By), b.Reason, len(b.Void))
}

// Breaks are the announced restores, from the events of the kind "restored".
func Breaks(events iter.Seq2[request.Event, error]) ([]Break, error) {
	var list []Break
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		b := Break{Seq: e.Seq, At: e.At, By: e.By}
		b.Reason, _ = e.Data["reason"].(string)
		void, _ := e.Data["void"].([]any)
		for _, text := range void {
			if head, err := store.ParseHead(fmt.Sprint(text)); err == nil {
				b.Void = append(b.Void, head)
			}
		}
		list = append(list, b)
	}
	return list, nil
}

// Event is the break as it is recorded.
func (b Break) Event() request.Event {
	void := make([]string, 0, len(b.Void))
	for _, head := range b.Void {
		void = append(void, head.String())
	}
	return request.Event{At: b.At, Kind: "restored", By: b.By, Data: map[string]any{"reason": b.Reason, "void": void}}
}

// Standing leaves out of anchors those that an announced break has made void.
func Standing(anchors []store.Head, breaks []Break) (standing []store.Head) {
	for _, a := range anchors {
		if !slices.ContainsFunc(breaks, func(b Break) bool { return slices.Contains(b.Void, a) }) {
			standing = append(standing, a)
		}
	}
	return standing
}

// Contradicting are the anchors that don't fit the events: their event isn't there, or
// has another hash.
func Contradicting(anchors []store.Head, events iter.Seq2[request.Event, error]) ([]store.Head, error) {
	var void []store.Head
	wanted := map[int64][]store.Head{}
	for _, a := range anchors {
		if !slices.Contains(wanted[a.Seq], a) {
			wanted[a.Seq] = append(wanted[a.Seq], a)
		}
	}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		for _, a := range wanted[e.Seq] {
			if a.Hash != e.Hash {
				void = append(void, a)
			}
		}
		delete(wanted, e.Seq)
	}
	for _, beyond := range wanted {
		void = append(void, beyond...)
	}
	slices.SortFunc(void, func(a, b store.Head) int {
		return strings.Compare(fmt.Sprintf("%020d%s", a.Seq, a.Hash), fmt.Sprintf("%020d%s", b.Seq, b.Hash))
	})
	return void, nil
}
