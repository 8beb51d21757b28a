package request_test

import (
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

func TestWorkingTime(t *testing.T) {
	office := request.OfficeHours()
	if office.Zone.String() != "Europe/London" {
		t.Skip("SKIPPED: this system has no time zones")
	}
	at := func(s string) time.Time {
		t.Helper()
		parsed, err := time.ParseInLocation("2006-01-02 15:04", s, office.Zone)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct {
		name  string
		from  string
		d     time.Duration
		until string
	}{
		{"an hour in the middle of a day", "2026-03-02 12:00", time.Hour, "2026-03-02 13:00"},
		{"no time at all", "2026-03-02 12:00", 0, "2026-03-02 12:00"},
		{"no time at all in the night", "2026-03-02 03:00", 0, "2026-03-02 09:00"},
		{"up to the very end of a day", "2026-03-02 17:00", time.Hour, "2026-03-02 18:00"},
		{"a minute over the end of a day", "2026-03-02 17:00", 61 * time.Minute, "2026-03-03 09:01"},
		{"from before the office opens", "2026-03-02 06:30", time.Hour, "2026-03-02 10:00"},
		{"from the moment when it opens", "2026-03-02 09:00", time.Hour, "2026-03-02 10:00"},
		{"from the moment when it closes", "2026-03-02 18:00", time.Hour, "2026-03-03 10:00"},
		{"from the evening", "2026-03-02 22:15", time.Hour, "2026-03-03 10:00"},
		{"four hours over a night", "2026-03-02 16:00", 4 * time.Hour, "2026-03-03 11:00"},
		{"twelve hours over a night", "2026-03-02 12:00", 12 * time.Hour, "2026-03-03 15:00"},
		{"twenty-four hours over two nights", "2026-03-02 12:00", 24 * time.Hour, "2026-03-04 18:00"},
		{"over a weekend", "2026-03-06 17:00", 4 * time.Hour, "2026-03-09 12:00"},
		{"from a Friday evening", "2026-03-06 20:00", time.Hour, "2026-03-09 10:00"},
		{"from a Saturday", "2026-03-07 12:00", time.Hour, "2026-03-09 10:00"},
		{"from a Sunday night", "2026-03-08 23:59", time.Hour, "2026-03-09 10:00"},
		{"a whole week of work", "2026-03-02 09:00", 45 * time.Hour, "2026-03-06 18:00"},
		{"a whole week of work and a minute", "2026-03-02 09:00", 45*time.Hour + time.Minute, "2026-03-09 09:01"},
		{"over the weekend when summer time begins", "2026-03-27 17:00", 2 * time.Hour, "2026-03-30 10:00"},
		{"from the night when summer time begins", "2026-03-29 00:30", time.Hour, "2026-03-30 10:00"},
		{"over the weekend when summer time ends", "2026-10-23 17:00", 2 * time.Hour, "2026-10-26 10:00"},
		{"from the night when summer time ends", "2026-10-25 01:30", time.Hour, "2026-10-26 10:00"},
		{"over the end of a year", "2026-12-31 17:00", 2 * time.Hour, "2027-01-01 10:00"},
		{"over a leap day", "2028-02-28 17:00", 10*time.Hour + time.Minute, "2028-03-01 09:01"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := office.After(at(test.from), test.d)
			if !got.Equal(at(test.until)) || got.Location() != time.UTC {
				t.Errorf("%v after %s it is %v, want %s in London, told in UTC", test.d, test.from, got, test.until)
			}
			if again := office.After(at(test.from).UTC(), test.d); !again.Equal(got) {
				t.Errorf("from the same moment in UTC it is %v", again)
			}
		})
	}
	t.Run("in summer London's nine o'clock is eight in UTC", func(t *testing.T) {
		want := time.Date(2026, 7, 1, 8, 30, 0, 0, time.UTC)
		if got := office.After(time.Date(2026, 7, 1, 5, 0, 0, 0, time.UTC), 30*time.Minute); !got.Equal(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("without working hours all time is working time", func(t *testing.T) {
		from := at("2026-03-07 03:00")
		if got := (request.Hours{}).After(from, time.Hour); !got.Equal(from.Add(time.Hour)) {
			t.Errorf("got %v", got)
		}
	})
}

// There, summer time begins at midnight: that Sunday begins at 01:00.
func TestWorkingTimeGoesPastADayWithoutAMidnight(t *testing.T) {
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Skip("SKIPPED: this system has no time zones")
	}
	hours := request.Hours{Begin: 9 * time.Hour, End: 18 * time.Hour, Zone: zone}
	got := make(chan time.Time, 1)
	go func() { got <- hours.After(time.Date(2026, 9, 4, 17, 0, 0, 0, zone), 2*time.Hour) }()
	select {
	case at := <-got:
		if want := time.Date(2026, 9, 7, 10, 0, 0, 0, zone); !at.Equal(want) {
			t.Errorf("got %v, want %v", at, want)
		}
	case <-time.After(2 * time.Second):
		t.Error("it never gets past that day")
	}
}
