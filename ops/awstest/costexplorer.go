package awstest

import (
	"math/big"
	"strconv"
	"time"
)

// CostExplorer is what AWS Cost Explorer knows of the accounts' costs. The management account sees all of them, every other
// account its own.
type CostExplorer struct {
	cloud *Cloud
	off   bool // not enabled
	empty bool // enabled a moment ago
	costs map[costKey]*big.Rat
}

type costKey struct{ account, month, service string }

// CostExplorer is the one that there is. It is enabled, and knows of no costs at first.
func (c *Cloud) CostExplorer() *CostExplorer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.costExplorer()
}

func (c *Cloud) costExplorer() *CostExplorer {
	if c.costs == nil {
		c.costs = &CostExplorer{cloud: c, costs: map[costKey]*big.Rat{}}
	}
	return c.costs
}

const (
	costMonth = "2006-01"
	costDay   = "2006-01-02"
)

// SetCost sets what an account spent on a service ("Amazon Simple Storage Service") in a month ("2026-10"), in US dollars and
// to the decimal as they are written; 0 is nothing. They are spread evenly over the days of the month, or those so far when
// the month isn't over. All metrics that are costs are the same.
func (e *CostExplorer) SetCost(account, month, service string, dollars float64) {
	e.cloud.mu.Lock()
	defer e.cloud.mu.Unlock()
	amount, ok := new(big.Rat).SetString(strconv.FormatFloat(dollars, 'f', -1, 64))
	if _, err := time.Parse(costMonth, month); err != nil || !ok || !accountID.MatchString(account) || service == "" {
		e.cloud.problem("cost of %q in %q for %q, %v dollars: an account's ID, a month like 2026-10, a service and a number", account, month, service, dollars)
		return
	}
	key := costKey{account, month, service}
	if delete(e.costs, key); amount.Sign() != 0 {
		e.costs[key] = amount
	}
	e.cloud.touch()
}

// SetEnabled takes Cost Explorer away from all accounts, as it is until somebody opens it in the management account's console,
// or gives it back.
func (e *CostExplorer) SetEnabled(on bool) {
	e.cloud.mu.Lock()
	defer e.cloud.mu.Unlock()
	e.off = !on
}

// SetIngested makes data be unavailable, as for a day after Cost Explorer was enabled, or available again.
func (e *CostExplorer) SetIngested(on bool) {
	e.cloud.mu.Lock()
	defer e.cloud.mu.Unlock()
	e.empty = !on
}

// today is midnight of the day it is for Cost Explorer, which knows UTC only.
func (e *CostExplorer) today() time.Time { return e.cloud.now().UTC().Truncate(24 * time.Hour) }

func monthOf(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// share is the part of a month's cost that falls in a period, whose end isn't in it.
func (e *CostExplorer) share(month string, p costPeriod) *big.Rat {
	first, _ := time.Parse(costMonth, month)
	end := first.AddDate(0, 1, 0)
	if today := e.today(); first.Equal(monthOf(today)) {
		end = today.AddDate(0, 0, 1)
	}
	from, to := first, end
	if p.start.After(from) {
		from = p.start
	}
	if p.end.Before(to) {
		to = p.end
	}
	if !to.After(from) {
		return new(big.Rat)
	}
	return big.NewRat(days(from, to), days(first, end))
}

func days(from, to time.Time) int64 { return int64(to.Sub(from) / (24 * time.Hour)) }
