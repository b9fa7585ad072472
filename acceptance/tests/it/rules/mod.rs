//! Security rules, one file each, tests named after them. Removing one needs a decision note.

mod r01_r02;
mod r03_r07;
mod r10_r17;
mod r21_r25;
mod r26_r28;
mod r32_r40;
mod r38_home;
