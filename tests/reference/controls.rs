//! Modes and limits (model section 10), and the initial margin that is scaled
//! with open interest.

use super::input::{Fields, Json, Refusal, malformed, refuse};
use super::number::{Int, Rat, int, one, pow10, rat, zero};
use super::state::{At, Order, PoolId, State, need, need_below_limit, need_positive, on_grid, sum};
use num_traits::{Signed, Zero};
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Normal,
    ReduceOnly,
    CancelOnly,
    Halted,
    LiquidationPaused,
    AdlPaused,
}

impl Mode {
    pub const WORDS: &[&str] = &["normal", "reduce_only", "cancel_only", "halted", "liquidation_paused", "adl_paused"];

    const ALL: [Mode; 6] =
        [Mode::Normal, Mode::ReduceOnly, Mode::CancelOnly, Mode::Halted, Mode::LiquidationPaused, Mode::AdlPaused];

    pub fn read(word: &str) -> Mode {
        let n = Mode::WORDS.iter().position(|known| *known == word).expect("the form has been checked");
        Mode::ALL[n]
    }

    pub fn word(self) -> &'static str {
        Mode::WORDS[Mode::ALL.iter().position(|mode| *mode == self).expect("all of them")]
    }
}

/// As they are given.
#[derive(Clone, Default)]
pub struct LimitFields {
    pub open_interest: Option<Rat>,
    pub position: Option<Rat>,
    pub collar: Option<Rat>,
    /// `lower`, `upper`
    pub oi_im: Option<(Rat, Rat)>,
}

/// In lots; the collar in parts per billion of the mark.
#[derive(Clone, Default)]
pub struct Limits {
    pub open_interest: Option<Int>,
    pub position: Option<Int>,
    pub collar: Option<Int>,
    pub oi_im: Option<(Int, Int)>,
}

/// The object `key`; another field than those known is an unknown one.
fn object(f: &Fields, key: &str, known: &[&str]) -> Result<Option<Fields>, Refusal> {
    match f.get(key) {
        None => Ok(None),
        Some(Json::Object(entries)) => match entries.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => refuse("unknown_field", format!("{key} does not take {name:?}")),
            None => Ok(Some(Fields { entries: entries.clone() })),
        },
        Some(_) => malformed(format!("{key} is not an object")),
    }
}

pub fn parse_limits(f: &Fields) -> Result<LimitFields, Refusal> {
    let Some(limits) = object(f, "limits", &["open_interest", "position", "collar", "oi_im"])? else {
        return Ok(LimitFields::default());
    };
    let oi_im = match object(&limits, "oi_im", &["lower", "upper"])? {
        Some(bounds) => Some((bounds.decimal("lower")?, bounds.decimal("upper")?)),
        None => None,
    };
    Ok(LimitFields {
        open_interest: limits.maybe("open_interest", Fields::decimal)?,
        position: limits.maybe("position", Fields::decimal)?,
        collar: limits.maybe("collar", Fields::decimal)?,
        oi_im,
    })
}

impl LimitFields {
    pub fn need_values(&self) -> Result<(), Refusal> {
        let positive = [("open_interest", &self.open_interest), ("position", &self.position), ("collar", &self.collar)];
        for (what, given) in positive {
            if let Some(x) = given {
                need_positive(what, x)?;
            }
        }
        let fits = self.oi_im.as_ref().is_none_or(|(lower, upper)| !lower.is_negative() && lower < upper);
        need(fits, "bad_value", "oi_im needs 0 <= lower < upper")
    }

    pub fn on_grid(&self, lot: &Rat) -> Result<Limits, Refusal> {
        let lots = |given: &Option<Rat>| given.as_ref().map(|x| on_grid(x, lot, "lot")).transpose();
        let (open_interest, position) = (lots(&self.open_interest)?, lots(&self.position)?);
        let billionth = Rat::new(int(1), pow10(9));
        let collar = self.collar.as_ref().map(|x| on_grid(x, &billionth, "billionth")).transpose()?;
        let oi_im = match &self.oi_im {
            Some((lower, upper)) => Some((on_grid(lower, lot, "lot")?, on_grid(upper, lot, "lot")?)),
            None => None,
        };
        let counted = [&open_interest, &position, &collar].into_iter().flatten();
        for x in counted.chain(oi_im.iter().flat_map(|(lower, upper)| [lower, upper])) {
            need_below_limit("a limit", x)?;
        }
        Ok(Limits { open_interest, position, collar, oi_im })
    }
}

impl State {
    // Modes.

    /// Each scope has one; an event when it changes.
    pub fn do_mode(
        &mut self,
        symbol: Option<&str>,
        account: Option<u64>,
        mode: Mode,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let i = symbol.map(|symbol| self.instrument_id(symbol)).transpose()?;
        if let Some(account) = account {
            self.need_account(account)?;
        }
        if dry_run {
            self.preview_mode(i, account, mode);
            return Ok(());
        }
        let scope = self.mode_of(i, account);
        if std::mem::replace(scope, mode) == mode {
            return Ok(());
        }
        let mut fields = json!({"mode": mode.word()});
        if let Some(symbol) = symbol {
            fields["symbol"] = json!(symbol);
        }
        if let Some(account) = account {
            fields["account"] = json!(account);
        }
        self.emit("mode", fields);
        for i in 0..self.instruments.len() {
            self.follow_mode(i);
        }
        Ok(())
    }

    fn mode_of(&mut self, i: Option<usize>, account: Option<u64>) -> &mut Mode {
        match (i, account) {
            (Some(i), _) => &mut self.instruments[i].mode,
            (None, Some(account)) => &mut self.accounts.get_mut(&account).expect("it was checked").mode,
            (None, None) => &mut self.mode,
        }
    }

    /// Who would be liquidated under that mode, at the present marks: in breach, locked or not, with a position whose mark
    /// would live and that would not be paused.
    fn preview_mode(&mut self, i: Option<usize>, account: Option<u64>, mode: Mode) {
        let mut then = self.clone();
        *then.mode_of(i, account) = mode;
        let concerned = |pool: &PoolId| {
            let holds = i.is_none_or(|i| then.pool_positions(*pool).iter().any(|at| at.i == i));
            holds && account.is_none_or(|account| pool.account == account)
        };
        let walks = |pool: &PoolId| {
            let mut places = then.pool_positions(*pool).into_iter();
            places.any(|at| then.would_live(at.i) && !then.liquidation_paused(pool.account, at.i))
        };
        let all = then.all_pools().into_iter();
        let pools: Vec<PoolId> = all.filter(|pool| concerned(pool) && then.in_breach(*pool) && walks(pool)).collect();
        let mut fields = json!({"op": "mode", "pools": then.show_pools(&pools)});
        let summed = |asset: usize, of: &dyn Fn(PoolId) -> Int| {
            let own = pools.iter().filter(|pool| then.pool_asset(**pool) == asset);
            json!(then.show_money(asset, &sum(own.map(|&pool| of(pool)))))
        };
        let (notional, loss) = (|pool| then.pool_notional(pool), |pool| then.loss_of(pool));
        if let Some(i) = i {
            fields["symbol"] = json!(self.instruments[i].symbol);
            let asset = self.settle_of(i);
            fields["notional"] = summed(asset, &notional);
            fields["fund_loss"] = summed(asset, &loss);
        } else {
            (fields["notional"], fields["fund_loss"]) = (json!({}), json!({}));
            for asset in pools.iter().map(|&pool| then.pool_asset(pool)).collect::<BTreeSet<_>>() {
                let name = self.assets[asset].name.clone();
                fields["notional"][&name] = summed(asset, &notional);
                fields["fund_loss"][&name] = summed(asset, &loss);
            }
        }
        if let Some(account) = account {
            fields["account"] = json!(account);
        }
        self.emit("dry_run", fields);
    }

    /// As the modes are, whatever they were when the mark was frozen.
    fn would_live(&self, i: usize) -> bool {
        let instrument = &self.instruments[i];
        let halted = self.holds(i, Mode::Halted);
        let others = instrument.frozen.iter().any(|&cause| cause != "halted");
        instrument.mark.is_some() && !halted && !others
    }

    /// Under `halted` the mark counts as frozen; an account has no marks of its own.
    pub fn follow_mode(&mut self, i: usize) {
        if self.holds(i, Mode::Halted) {
            self.freeze(i, "halted");
        } else {
            self.thaw(i, "halted");
        }
    }

    /// Whether a mode is that of everything, of the instrument, or holds with what is wrong.
    fn holds(&self, i: usize, mode: Mode) -> bool {
        [self.mode, self.instruments[i].mode].contains(&mode) || self.holds_by_health(i, mode)
    }

    /// The same, or that of the account.
    fn holds_for(&self, account: u64, i: usize, mode: Mode) -> bool {
        self.accounts[&account].mode == mode || self.holds(i, mode)
    }

    /// Steps 3 to 5 wait; so they do while the instrument's fund has lost too much.
    pub fn liquidation_paused(&self, account: u64, i: usize) -> bool {
        let by_fund = self.funds[self.instruments[i].fund].paused;
        by_fund || self.holds_for(account, i, Mode::LiquidationPaused)
    }

    /// Step 5 waits.
    pub fn adl_paused(&self, account: u64, i: usize) -> bool {
        self.holds_for(account, i, Mode::AdlPaused)
    }

    /// The deleveraging of inventory waits.
    pub fn inventory_adl_paused(&self, i: usize) -> bool {
        self.holds(i, Mode::AdlPaused)
    }

    /// What refuses an order before anything else of the state does.
    pub fn need_open(&self, account: u64, i: usize, reduce_only: bool) -> Result<(), Refusal> {
        let closed = [Mode::CancelOnly, Mode::Halted].iter().any(|mode| self.holds_for(account, i, *mode));
        need(!closed, "halted", "no orders are taken")?;
        let reducing = reduce_only || !self.holds_for(account, i, Mode::ReduceOnly);
        need(reducing, "reduce_only", "only reduce-only orders are taken")
    }

    // Limits.

    /// What refuses an order after `locked`: reduce-only ones only the collar.
    pub fn need_within_limits(&self, account: u64, order: &Order) -> Result<(), Refusal> {
        let i = order.at.i;
        let limits = &self.instruments[i].limits;
        if let (Some(collar), Some(mark)) = (&limits.collar, &self.instruments[i].mark) {
            let within = (&order.price - mark).abs() * pow10(9) <= collar * mark;
            need(within, "limit", "collar: the price is too far from the mark")?;
        }
        if order.reduce_only {
            return Ok(());
        }
        let reach = self.reach_of_side(account, order);
        if let Some(most) = &limits.position {
            let of = if self.accounts[&account].group.is_some() { "the group" } else { "the account" };
            need(reach <= *most, "limit", format!("position: the order could lead {of} to {reach} lots"))?;
        }
        let opened = &order.rest - self.position(account, order.at).closed_by(order.side, &order.rest);
        let interest = &self.instruments[i].noted_interest + &opened;
        let fits = |most: &Int| opened.is_zero() || interest <= *most;
        let within = limits.open_interest.as_ref().is_none_or(fits);
        need(within, "limit", format!("open_interest: the order could lead to {interest} lots"))
    }

    /// How far the position reaches to the side of the order, with all orders on that side; of an account in a group the
    /// positions of all its members, both legs, with all their orders.
    fn reach_of_side(&self, account: u64, order: &Order) -> Int {
        let i = order.at.i;
        let held: Vec<(u64, At)> = match self.accounts[&account].group {
            None => vec![(account, order.at)],
            group => {
                let members = self.accounts.iter().filter(|(_, a)| a.group == group);
                members
                    .flat_map(|(&member, _)| self.places(member, i).into_iter().map(move |at| (member, at)))
                    .collect()
            }
        };
        let mut reach = order.rest.clone();
        for (member, at) in held {
            reach += order.side.signed(&int(1)) * self.position(member, at).q;
            let orders = self.accounts[&member].orders.iter();
            let others = orders.filter(|o| o.at == at && o.side == order.side && !o.reduce_only);
            reach += sum(others.map(|o| o.rest.clone()));
        }
        reach
    }

    /// `time` notes what limits go by until the next.
    pub fn note_interest(&mut self) {
        for i in 0..self.instruments.len() {
            self.instruments[i].noted_interest = self.open_interest(i);
        }
    }

    /// `min(base + max((OI − lower) / (upper − lower) · (1 − base), 0), 1)`
    pub fn scaled_by_interest(&self, i: usize, base: Rat) -> Rat {
        let Some((lower, upper)) = &self.instruments[i].limits.oi_im else {
            return base;
        };
        let part = Rat::new(&self.instruments[i].noted_interest - lower, upper - lower);
        let more = (part * (one() - &base)).max(rat(&zero()));
        (base + more).min(one())
    }
}
