//! Puts every mutant of a file into it at once: each behind a question whether it is the one to try, so that one build serves all.

use crate::list::{Genre, Mutant, Place};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use std::collections::{BTreeSet, HashMap};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Block, Expr, Pat, PatGuard, Signature, Stmt, parse_quote};

/// The file with these mutants in it, and the numbers of those that found their place.
pub fn plant(source: &str, mutants: &[&Mutant]) -> syn::Result<(String, BTreeSet<u32>)> {
    let mut file = syn::parse_file(source)?;
    let mut places: HashMap<Place, Vec<&Mutant>> = HashMap::new();
    for mutant in mutants {
        places.entry(mutant.span.start).or_default().push(mutant);
    }
    let mut planter = Planter { places, planted: BTreeSet::new() };
    planter.visit_file_mut(&mut file);
    Ok((prettyplease::unparse(&file), planter.planted))
}

struct Planter<'a> {
    places: HashMap<Place, Vec<&'a Mutant>>,
    planted: BTreeSet<u32>,
}

/// Whether a mutant is the one to try.
fn is(number: u32) -> TokenStream {
    quote!(crate::mutants::is(#number))
}

impl Planter<'_> {
    /// The mutants of a genre that begin at a place.
    fn at(&self, place: impl Spanned, genre: Genre) -> Vec<Mutant> {
        let found = self.places.get(&Place::of(place.span().start())).into_iter().flatten();
        found.filter(|mutant| mutant.genre == genre).map(|mutant| (*mutant).clone()).collect()
    }

    /// An expression, or what the mutants make of it.
    fn choose(&mut self, otherwise: &Expr, others: Vec<(Mutant, TokenStream)>) -> Expr {
        let mut chosen = otherwise.to_token_stream();
        for (mutant, other) in others {
            let is = is(mutant.number);
            self.planted.insert(mutant.number);
            chosen = quote!(if #is { (#other) } else { (#chosen) });
        }
        parse_quote!((#chosen))
    }

    /// What makes a function return what its mutants say, to stand before its body.
    fn values(&mut self, signature: &Signature, body: &Block) -> Vec<Stmt> {
        // A constant asks no question, and `impl Trait` is one type on all ways out.
        let hidden = signature.output.to_token_stream().to_string().contains("impl ");
        let can_choose = signature.constness.is_none() && !hidden;
        let Some(first) = body.stmts.first().filter(|_| can_choose) else { return Vec::new() };
        let mutants = self.at(first, Genre::FnValue).into_iter();
        let values = mutants.filter_map(|mutant| {
            let (value, is) = (mutant.replacement.parse::<TokenStream>().ok()?, is(mutant.number));
            self.planted.insert(mutant.number);
            Some(parse_quote!(if #is { return #value; }))
        });
        values.collect()
    }
}

impl VisitMut for Planter<'_> {
    fn visit_item_fn_mut(&mut self, item: &mut syn::ItemFn) {
        let values = self.values(&item.sig, &item.block);
        visit_mut::visit_item_fn_mut(self, item);
        item.block.stmts.splice(0..0, values);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut syn::ImplItemFn) {
        let values = self.values(&item.sig, &item.block);
        visit_mut::visit_impl_item_fn_mut(self, item);
        item.block.stmts.splice(0..0, values);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let before = expr.clone();
        visit_mut::visit_expr_mut(self, expr);
        match &before {
            Expr::Binary(binary) if !is_let(&binary.left) && !is_let(&binary.right) => {
                let others = self.at(binary.op, Genre::BinaryOperator).into_iter().filter_map(|mutant| {
                    let op: BinOp = syn::parse_str(&mutant.replacement).ok()?;
                    let mut other = binary.clone();
                    other.op = op;
                    Some((mutant, other.into_token_stream()))
                });
                let others: Vec<_> = others.collect();
                if !others.is_empty() {
                    *expr = self.choose(expr, others);
                }
            }
            Expr::Unary(unary) => {
                let others = self.at(unary.op, Genre::UnaryOperator).into_iter();
                let others: Vec<_> = others.map(|mutant| (mutant, unary.expr.to_token_stream())).collect();
                if !others.is_empty() {
                    *expr = self.choose(expr, others);
                }
            }
            _ => {}
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        let deleted = self.at(&arm.pat, Genre::MatchArm);
        let guards = match &arm.pat {
            Pat::Guard(guarded) if !is_let(&guarded.guard) => self.at(&guarded.guard, Genre::MatchArmGuard),
            _ => Vec::new(),
        };
        visit_mut::visit_arm_mut(self, arm);
        if let Pat::Guard(guarded) = &mut arm.pat {
            let others =
                guards.into_iter().filter_map(|mutant| Some((mutant.clone(), mutant.replacement.parse().ok()?)));
            let others: Vec<_> = others.collect();
            if !others.is_empty() {
                *guarded.guard = self.choose(&guarded.guard.clone(), others);
            }
        }
        for mutant in deleted {
            self.planted.insert(mutant.number);
            let is = is(mutant.number);
            let (pat, stays): (Pat, Expr) = match &arm.pat {
                Pat::Guard(PatGuard { pat, guard, .. }) => ((**pat).clone(), parse_quote!(!#is && (#guard))),
                pat => (pat.clone(), parse_quote!(!#is)),
            };
            let (if_token, attrs) = (Default::default(), Vec::new());
            arm.pat = Pat::Guard(PatGuard { attrs, pat: Box::new(pat), if_token, guard: Box::new(stays) });
        }
    }

    // What is computed by the compiler asks no question.
    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}
    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}
    fn visit_item_static_mut(&mut self, _: &mut syn::ItemStatic) {}
    fn visit_type_mut(&mut self, _: &mut syn::Type) {}
}

/// Whether a condition binds names: it has no value of its own.
fn is_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => is_let(&binary.left) || is_let(&binary.right),
        _ => false,
    }
}
